"""One module a kind of hardware: how it is found and what is said of it."""
