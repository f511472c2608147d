"""Between the served versions of a kind and its hub, the form that is stored and reasoned about."""
