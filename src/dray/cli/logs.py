"""Logging of every command: klog lines on stderr, or one JSON object a line."""

import logging


def set_up_logging(logging_format: str, verbosity: int) -> None:
    """Verbosity as in Kubernetes: 0 warnings and worse, 2 the usual notes, 4 and more everything."""
    from dray.kits.klog import configure

    configure(json_format=logging_format == "json", level=logging.WARNING)
    level = logging.WARNING if verbosity < 2 else logging.INFO if verbosity < 4 else logging.DEBUG
    logging.getLogger("dray").setLevel(level)
