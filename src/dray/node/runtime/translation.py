"""Where a container cannot have its own view of files: its paths rewritten to where the files really are.

Decides which text is a path below a mount: one that is the mount's path, or continues it with a slash, and starts at a
boundary (the beginning, a space, a quote, `=`, `:` or `,`). Longest mount first. Only what the pod itself wrote is
rewritten: its environment, command and arguments. Files that name such paths inside are not.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from dray.node.runtime.protocol import Mount


class PathTranslation:
    def __init__(self, mounts: Sequence[Mount]) -> None:
        self._sources = {mount.destination.rstrip("/") or "/": mount.source for mount in mounts}
        paths = sorted((path for path in self._sources if path != "/"), key=len, reverse=True)
        alternatives = "|".join(map(re.escape, paths))
        self._pattern = (
            re.compile(rf"(?<![^\s=:,'\"(]){'(' + alternatives + ')'}(?=$|[/\s:,'\"&;|)<>])")
            if paths
            else None
        )

    def text(self, text: str) -> str:
        """`text` with every path below a mount replaced by the node's own path."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: str(self._sources[match[1]]), text)

    def environment(self, environment: Mapping[str, str]) -> dict[str, str]:
        return {name: self.text(value) for name, value in environment.items()}

    def arguments(self, arguments: Sequence[str]) -> list[str]:
        return [self.text(argument) for argument in arguments]

    def source_of(self, destination: str) -> Path | None:
        """Where the mount at exactly `destination` comes from."""
        return self._sources.get(destination.rstrip("/"))
