"""Rules of resource.k8s.io, on hub objects (v1 shape)."""
