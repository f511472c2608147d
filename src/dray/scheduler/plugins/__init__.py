"""What one plugin decides about one node; a file each, named as upstream names the plugin.

Filters come in two kinds. *Static* ones (`check(pod, node)`) look at nothing but the pod's spec and the node's name,
labels, taints and schedulability, so their answers are remembered per kind of pod. *Dynamic* ones look at what runs:
`prepare(pod, ...)` does once per attempt what does not depend on the node and returns the question to ask of each
node, or None where the pod does not care.

Plugins are asked in upstream's order and the first refusal counts, because the words users see depend on it.
"""
