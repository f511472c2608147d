"""The audit log: who asked for what, as whom, and what came of it, as `audit.k8s.io/v1` Events, a line each.

`policy` says of which requests and how much, `events` makes the Events of one request, `log` is the file.
"""
