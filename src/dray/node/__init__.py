"""The kubelet's role: runs the pods of one node, prepares their devices, and answers for what they say."""

import os

# Before anything here imports grpc: its core would write notes of every closed connection amid the logs.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
