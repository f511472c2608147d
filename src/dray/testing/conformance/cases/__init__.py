"""The rules themselves: one module an area, one function a rule, its docstring the rule in a sentence."""
