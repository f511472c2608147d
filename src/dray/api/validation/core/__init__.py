"""Rules of the kinds that are not of resource.k8s.io, as far as dray serves them."""
