"""Drivers that come with dray, written with its own SDK."""
