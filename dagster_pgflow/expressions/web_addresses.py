"""Web addresses with values in them: each value keeps to the place where it is put in.

What the author of a definition wrote says where a value stands. In the path it is one segment or a
part of one, behind `?` one name or value, and in the host it is nothing at all unless the
definition says where the address may lead.
"""

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote, unquote

from dagster_pgflow.step_errors import ReferenceFailed

Place = Literal["beginning", "host", "path", "behind"]

MOST_CHARACTERS: Final = 65_536

_HOST_BEGINS: Final = re.compile(r"\s*[A-Za-z][A-Za-z0-9+.-]*://")
_BEHIND_PATH: Final = re.compile(r"[?#]")
_PART_OF_HOST: Final = re.compile(r"[\w.:\[\]-]+")
_END_OF_SEGMENT: Final = re.compile(r"[/?#]|$")
_LEADS_ELSEWHERE: Final = re.compile(r"(?:^|[/\\])[\s\x00-\x20]*\.{1,2}[\s\x00-\x20]*(?:[;/\\]|$)")
_MOST_DECODED: Final = 4


@dataclass(frozen=True)
class InsertedValue:
    """A value that is put in.

    Attributes:
        text: The value as a text.
        source: The reference that led to it.
    """

    text: str
    source: str


def address_of(parts: Iterable[str | InsertedValue], *, hosts_are_given: bool) -> str:
    """Return the address that some parts make up.

    Args:
        parts: What the author wrote, and the values between.
        hosts_are_given: Whether the definition says which hosts the address may lead to; the one
            that comes out is still to be compared with these.

    Raises:
        ReferenceFailed: A value would lead to another host or another path.
    """
    address = ""
    segments: list[tuple[int, InsertedValue]] = []
    for part in parts:
        if isinstance(part, str):
            address += part
        else:
            place = place_behind(address)
            if place == "path":
                segments.append((len(address), part))
            address += _kept_to(place, part, hosts_are_given=hosts_are_given)
        if len(address) > MOST_CHARACTERS:
            raise ReferenceFailed(f"The address is longer than {MOST_CHARACTERS} characters.")
    for position, given in segments:
        _check_segment(address, position, given)
    return address


def place_behind(written: str) -> Place:
    """Say where in an address something stands that comes behind a part of it.

    >>> place_behind("https://"), place_behind("https://a.org/b"), place_behind("https://a.org?")
    ('host', 'path', 'behind')
    """
    begins = _HOST_BEGINS.match(written)
    if begins is None:
        return "beginning"
    if _BEHIND_PATH.search(written, begins.end()):
        return "behind"
    return "path" if "/" in written[begins.end() :] else "host"


def _kept_to(place: Place, given: InsertedValue, *, hosts_are_given: bool) -> str:
    if place in ("path", "behind"):
        return _encoded(given)
    if not hosts_are_given:
        raise ReferenceFailed(
            f"{given.source} would say which host the step goes to; write the host into the url, or"
            " list in allow_hosts where it may lead."
        )
    if place == "host" and not _PART_OF_HOST.fullmatch(given.text):
        raise ReferenceFailed(f"{given.source} is not part of a host name.")
    return given.text


def _encoded(given: InsertedValue) -> str:
    try:
        return quote(given.text, safe="")
    except UnicodeEncodeError:
        raise ReferenceFailed(
            f"{given.source} has a lone surrogate, which is not valid Unicode."
        ) from None


def _check_segment(address: str, position: int, given: InsertedValue) -> None:
    """Refuse a value that makes a segment which services, or what stands before them, resolve.

    They do so with `..` although it is encoded, and many with `%2F` between; `//` is `/` to some,
    and `DELETE /orders/` means all orders.
    """
    ends = _END_OF_SEGMENT.search(address, position)
    begins = address.rfind("/", 0, position) + 1
    segment = address[begins : ends.start() if ends else len(address)]
    if not segment:
        raise ReferenceFailed(f"{given.source} is empty, and would make another path of the url.")
    for _ in range(_MOST_DECODED):
        if _LEADS_ELSEWHERE.search(unicodedata.normalize("NFKC", segment)):
            raise ReferenceFailed(
                f'{given.source} has a "." or ".." as a part of its path, which would lead'
                " elsewhere than the url says."
            )
        segment = unquote(segment)
