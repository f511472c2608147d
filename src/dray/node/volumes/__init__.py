"""The volumes of pods as directories of the node."""
