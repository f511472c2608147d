"""The Container Device Interface: specs, names, files, and what they do to a container."""
