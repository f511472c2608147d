"""DRA drivers on this node: found by their sockets, registered, connected, forgotten when they go."""
