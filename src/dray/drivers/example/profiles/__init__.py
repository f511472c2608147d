"""The kinds of mock hardware: GPUs, network cards, CPUs."""
