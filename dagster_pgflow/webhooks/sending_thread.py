"""Sends in the background: a thread beside the rows of a live worker."""

import threading
from typing import Final

from dagster_pgflow.webhooks.sender import Sender

EVERY_S: Final = 5.0
"""How often it looks by itself: for what is to be sent again, and for runs of others."""

BUDGET_S: Final = 60.0


class SendingThread:
    """Sends what is due, at once when it is told that a run ended.

    It ends with its process: what it was sending then, somebody else sends again.

    Args:
        sender: Sends.
    """

    def __init__(self, sender: Sender) -> None:
        self._sender = sender
        self._told = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="pgflow-webhooks", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """Look now."""
        self._told.set()

    def _serve(self) -> None:
        while True:
            self._told.wait(EVERY_S)
            self._told.clear()
            self._sender.send_due(BUDGET_S)
