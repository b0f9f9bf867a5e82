"""What a supervisor of a code server must look after: Dagster 1.13 leaves a dead child dead."""

from dataclasses import dataclass
from typing import Final

PROBE_S: Final = 10.0
"""For how long a code server may be without the child that it had."""

FIRST_S: Final = 300.0
"""For how long it may be without its first one, whose import takes long on a busy machine."""


@dataclass
class Probe:
    """What was seen of a code server, and so whether it has lost its child."""

    _process: object = None
    _had_child: bool = False
    _alone_since: float = 0.0

    def is_stuck(self, process: object, now: float, *, has_child: bool) -> bool:
        """Return whether a code server is to be started again.

        Args:
            process: Its process; `None` where it has none, and is started again anyway.
            now: The time, in seconds.
            has_child: Whether the process that it starts is there.
        """
        if process is not self._process:
            self._process, self._had_child, self._alone_since = process, False, now
        if has_child:
            self._had_child, self._alone_since = True, now
        patience_s = PROBE_S if self._had_child else FIRST_S
        return process is not None and now - self._alone_since > patience_s
