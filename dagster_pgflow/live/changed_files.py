"""Which files of a code location have changed since it was imported."""

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

EVERY_S: Final = 2.0

Look = dict[str, tuple[int, int, int] | None]
"""What each file was like: when it was written, how long it is, and which one it is."""


class ChangedFiles:
    """Looks at files now and then.

    A change counts when two looks in a row have found the same: whoever saves several files, or a
    long one, is let finish.
    """

    def __init__(self) -> None:
        self._known: Look = {}
        self._found: Look = {}
        self._looked_at = 0.0

    def watch(self, files: Iterable[str]) -> None:
        """Look at these files from now on; those that are looked at already stay as they were."""
        for name in files:
            if name not in self._known:
                self._known[name] = _seen(name)

    def has_changed(self) -> bool:
        """Whether one has changed since it was looked at first, or since this was last true."""
        if time.monotonic() - self._looked_at < EVERY_S:
            return False
        self._looked_at = time.monotonic()
        found = {name: _seen(name) for name in self._known}
        is_at_rest, self._found = found == self._found, found
        if found == self._known or not is_at_rest:
            return False
        self._known = found
        return True


def _seen(name: str) -> tuple[int, int, int] | None:
    try:
        found = Path(name).stat()
    except OSError:
        return None
    return (found.st_mtime_ns, found.st_size, found.st_ino)
