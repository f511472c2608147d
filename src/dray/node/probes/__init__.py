"""Probes of containers: is it up, is it ready, has it started."""
