"""The node's part of Dynamic Resource Allocation: claims prepared before pods start, unprepared after they end."""
