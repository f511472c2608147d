"""Formats and protocols of Kubernetes on the wire: protobuf bodies, the kubelet's gRPC services."""
