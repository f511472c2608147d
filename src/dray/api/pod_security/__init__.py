"""Pod Security Standards: whether a pod keeps to a level of a release, and what a namespace's labels demand.

Source of the rules and their words: kubernetes staging/src/k8s.io/pod-security-admission, 1.36.
"""
