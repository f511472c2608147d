"""Requests that are passed on to pods, to the pods behind services, and to nodes."""
