"""The language of admission policies and match conditions: its variables, its compiler, its advice on types."""
