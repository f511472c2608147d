"""The HTTPS server of a node: what may be asked of it, and how streams go over the wire."""
