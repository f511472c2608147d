"""Certificate requests and certificates as Kubernetes' components read and write them.

They are read with the rules and in the words of Go's crypto/x509, which says which requests kube-apiserver refuses and why;
what is signed is written as it would write it. Pure but for the arithmetic of keys, which `cryptography` does.
"""
