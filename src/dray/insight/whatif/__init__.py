"""What would be: a cluster with things different, who loses their place by it, who finds one, and what it would take.

`scenario` is the changed cluster; `nodes`, `devices`, `manifests` and `workloads` are the changes; `placing` puts pods on
nodes; `sizing` finds how many more nodes are needed.
"""
