"""The life of pods on this node: what to do next, what to report, and the worker that does it."""
