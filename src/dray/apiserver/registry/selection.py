"""Field selectors: what some kinds answer to a field they do not know."""

FIELD_LABEL_TEXT = "field label not supported: {field}"
