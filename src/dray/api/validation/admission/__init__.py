"""Rules of admissionregistration.k8s.io: policies, their bindings, and webhook configurations."""
