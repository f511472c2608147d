"""The examples at the end of a command's help: one a line, never wrapped into each other."""


def examples(*lines: str) -> str:
    """For `epilog`. The mark keeps click from filling the lines up."""
    return "\b\nExamples:\n" + "\n".join(f"  {line}" for line in lines)
