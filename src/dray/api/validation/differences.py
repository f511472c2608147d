"""How two values differ, as messages about fields that may not change show it."""

import difflib
import json


def difference(old: object, new: object) -> str:
    """A unified diff of two values in internal form (`internal_form`), each written as indented JSON."""
    texts = (json.dumps(value, indent=1, ensure_ascii=False) for value in (old, new))
    before, after = (f"{text}\n".splitlines(keepends=True) for text in texts)
    return "".join(list(difflib.unified_diff(before, after))[2:])
