"""The body of an answer as it comes in: unpacked in bounded pieces, and never more than asked for.

A few hundred bytes can stand for gigabytes. So no piece is unpacked further than the limit has room
for, and a body that is packed twice is refused: nobody asked for one.
"""

import codecs
import re
import zlib
from typing import Any, Final

from dagster_pgflow.step_errors import NonRetryable

ACCEPTED: Final = "gzip, deflate"
"""What we ask for, in the words of the header `Accept-Encoding`."""

MOST_AT_ONCE: Final = 65_536

_GZIP: Final = zlib.MAX_WBITS | 16
_WINDOW_BITS: Final = {"gzip": _GZIP, "x-gzip": _GZIP, "deflate": zlib.MAX_WBITS}
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?([A-Za-z0-9_.:+-]{1,40})', re.IGNORECASE)
_TEXT_CODEC: Final = re.compile(
    r"ascii|utf-8|utf-16(-[bl]e)?|utf-32(-[bl]e)?|iso8859-\d+|cp\d+|koi8-[rtu]|mac-\w+|tis-620"
    r"|gbk|gb2312|gb18030|hz|big5\w*|euc_\w+|shift_jis\w*|iso2022_\w+|johab"
)
"""The codecs that services write texts in. Python has others, some of which take for ever."""


class BodyTooLong(Exception):
    """A body is longer than it may be."""


class BodyBroken(Exception):
    """A body cannot be unpacked, or is not all there."""


class Body:
    """The body of an answer.

    Args:
        encoding: What the header `Content-Encoding` says.
        most_bytes: How long it may be, unpacked.
    """

    def __init__(self, encoding: str, most_bytes: int) -> None:
        layers = [layer for word in encoding.split(",") if (layer := word.strip().lower())]
        self._layers = [layer for layer in layers if layer != "identity"]
        self._most_bytes = most_bytes
        self._content = bytearray()
        self._unpacker: Any = None
        self._is_raw = False

    def add(self, data: bytes) -> None:
        """Take in what came next.

        Raises:
            BodyTooLong: It is more than may be.
            BodyBroken: It cannot be unpacked.
            NonRetryable: It is packed in a way that nobody asked for.
        """
        if not self._layers:
            self._keep(data)
            return
        if len(self._layers) > 1 or self._layers[0] not in _WINDOW_BITS:
            raise NonRetryable(
                "answered with a body that is packed in a way that nobody asked for; steps unpack"
                " gzip and deflate, once."
            )
        while data:
            data = self._unpacked(data)

    def whole(self) -> bytes:
        """Return all of it.

        Raises:
            BodyBroken: It breaks off.
        """
        if self._unpacker is not None and not self._unpacker.eof:
            # What has come in is unpacked but for the last match, which is short.
            self._keep(self._unpacker.flush())
            if not self._unpacker.eof:
                raise BodyBroken
        return bytes(self._content)

    def _unpacked(self, data: bytes) -> bytes:
        """Unpack a piece of what came in, and return what is left of that."""
        if self._unpacker is None or self._unpacker.eof:
            self._unpacker = self._new_unpacker(data)
        room = self._most_bytes - len(self._content) + 1
        try:
            piece = self._unpacker.decompress(data, min(room, MOST_AT_ONCE))
        except zlib.error:
            raise BodyBroken from None
        self._keep(piece)
        if self._unpacker.eof:
            # More may follow, which is packed anew; zeros may fill it up.
            return bytes(self._unpacker.unused_data.lstrip(b"\0"))
        return bytes(self._unpacker.unconsumed_tail)

    def _new_unpacker(self, data: bytes) -> Any:
        bits = _WINDOW_BITS[self._layers[0]]
        if self._layers[0] == "deflate" and data[0] & 0x0F != zlib.DEFLATED:
            # Many services leave the header of zlib away, whose first byte names the method.
            bits = -zlib.MAX_WBITS
        return zlib.decompressobj(bits)

    def _keep(self, piece: bytes) -> None:
        self._content += piece
        if len(self._content) > self._most_bytes:
            raise BodyTooLong


def text_of(content: bytes, kind: str) -> str | None:
    """Return a body as text, or `None` if it is none.

    Args:
        kind: What the header `Content-Type` says.
    """
    found = _CHARSET.search(kind)
    try:
        codec = codecs.lookup(found[1] if found else "utf-8").name
        if not _TEXT_CODEC.fullmatch(codec):
            return None
        text = content.decode(codec)
        text.encode()
    except (UnicodeError, LookupError, ValueError):
        return None
    return None if "\x00" in text else text
