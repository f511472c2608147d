"""The small process that stands above each container of the process runtime.

It is started by path with the bare interpreter (no site packages), outlives the node agent, and imports nothing of
dray but this package, so that starting a container costs one short interpreter start.
"""
