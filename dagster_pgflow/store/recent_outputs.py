"""Outputs that this process has just stored, so that the next step need not ask for them.

What is kept is the JSON text that went into the table, never the value: whoever reads it gets a
value of its own, as from the table, and changes it as it likes.
"""

from collections import OrderedDict
from threading import Lock

from dagster_pgflow.store.outputs import OutputKey

OVERHEAD_BYTES = 600
"""What an output occupies besides its text: so many small ones are bounded, too."""


class RecentOutputs:
    """The texts of outputs by key; those that were not used for the longest time go first.

    It is for one run in one process. Where another process may store the same output, as another
    attempt on another worker does, what is kept here would be old.

    Args:
        most_bytes: How much it may hold; an output that is larger than a quarter of that would
            push out too many others, and is not kept.
    """

    def __init__(self, most_bytes: int) -> None:
        self._left = most_bytes
        self._most_of_one = most_bytes // 4
        self._texts: OrderedDict[OutputKey, str] = OrderedDict()
        self._lock = Lock()

    def keep(self, key: OutputKey, text: str) -> None:
        """Keep an output, which is stored by now.

        Args:
            key: Its name.
            text: JSON in ASCII, so that its length is its size.
        """
        with self._lock:
            self._drop(key)
            if _size_of(text) > self._most_of_one:
                return
            self._texts[key] = text
            self._left -= _size_of(text)
            while self._left < 0:
                _key, oldest = self._texts.popitem(last=False)
                self._left += _size_of(oldest)

    def drop(self, key: OutputKey) -> None:
        """Forget an output, because it is about to be another one."""
        with self._lock:
            self._drop(key)

    def text_of(self, key: OutputKey) -> str | None:
        """Return the text of an output, or `None` where only the table has it."""
        with self._lock:
            text = self._texts.get(key)
            if text is not None:
                self._texts.move_to_end(key)
            return text

    def _drop(self, key: OutputKey) -> None:
        text = self._texts.pop(key, None)
        if text is not None:
            self._left += _size_of(text)


def _size_of(text: str) -> int:
    return len(text) + OVERHEAD_BYTES
