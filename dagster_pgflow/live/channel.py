"""A pair of sockets between processes of one live worker: whole messages, and an end that shows."""

import select
import socket
from typing import Final, Self

from dagster_pgflow.live.messages import Message, from_bytes, to_bytes

LONGEST_MESSAGE: Final = 64 * 1024


class Channel:
    """One end. Several processes may read from the same end: each message reaches one of them.

    Args:
        end: A socket of type SEQPACKET.
    """

    def __init__(self, end: socket.socket) -> None:
        self._socket = end

    @classmethod
    def pair(cls) -> tuple[Self, Self]:
        """Return two ends; no process inherits them unasked."""
        one, other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return cls(one), cls(other)

    @classmethod
    def of_descriptor(cls, number: int) -> Self:
        """Return the end that this process got from the one that started it."""
        return cls(socket.socket(fileno=number))

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._socket.fileno()

    def send(self, message: Message) -> bool:
        """Send a message, unless the other end has too much to read already; return whether.

        An end that nobody reads any more takes nothing, and neither does one that is closed.
        """
        if self._socket.fileno() < 0:
            return False
        data = to_bytes(message)
        if len(data) > LONGEST_MESSAGE:
            raise ValueError(f"A message of {len(data)} bytes is too long.")
        try:
            self._socket.send(data, socket.MSG_DONTWAIT | socket.MSG_NOSIGNAL)
        except (BlockingIOError, BrokenPipeError, ConnectionResetError):
            return False
        return True

    def receive(self) -> Message | None:
        """Wait for a message; `None` when the other end is closed."""
        data = self._socket.recv(LONGEST_MESSAGE)
        return from_bytes(data) if data else None

    def receive_at_once(self) -> Message | None:
        """Return a message that is there.

        Raises:
            BlockingIOError: There is none.
        """
        data = self._socket.recv(LONGEST_MESSAGE, socket.MSG_DONTWAIT)
        return from_bytes(data) if data else None

    @property
    def is_over(self) -> bool:
        """Whether the other end is closed, even if there is something left to read."""
        look = select.poll()
        look.register(self._socket, 0)
        return any(happened & select.POLLHUP for _, happened in look.poll(0))

    def close(self) -> None:
        """Close it."""
        self._socket.close()
