"""The example driver: mock devices, as the Kubernetes example driver has them."""
