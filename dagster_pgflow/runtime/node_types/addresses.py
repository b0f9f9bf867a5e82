"""Where http steps may go: the addresses that a name stands for, and which of them are refused.

What is checked is what is connected to. A name that another answer is given for a moment later,
as in DNS rebinding, leads nowhere else.
"""

import ipaddress
import os
import socket
from fnmatch import fnmatchcase
from typing import Final

from dagster_pgflow.errors import HttpFailed, NonRetryable

HOSTS_VARIABLE: Final = "PGFLOW_HTTP_HOSTS"
"""Names that http steps may go to, separated by commas, `*` for any part; without it all."""

_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def addresses_of(host: str, port: int, *, allow_private: bool) -> list[str]:
    """Return the addresses of a host that may be connected to, in the order of preference.

    Args:
        host: A name or an address, in ASCII.
        port: The port.
        allow_private: Whether it may lie in a private network or be this computer.

    Raises:
        NonRetryable: Steps may not go there.
        HttpFailed: There is no such host, or nobody knows.
    """
    refuse_unless_listed(host)
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise HttpFailed(f'The host "{host}" cannot be found: {reason}.') from None
    addresses = list(dict.fromkeys(str(answer[4][0]) for answer in found))
    for address in addresses:
        if not allow_private and not is_public(address):
            shown = f'"{host}"' if host == address else f'"{host}", which is {address},'
            raise NonRetryable(
                f"The address {shown} lies in no public network; say allow_private if the step may"
                " go there."
            )
    return addresses


def refuse_unless_listed(host: str) -> None:
    """Check a host against `PGFLOW_HTTP_HOSTS`.

    Raises:
        NonRetryable: It is not among those that are listed there.
    """
    listed = os.environ.get(HOSTS_VARIABLE, "")
    patterns = [pattern.strip().lower() for pattern in listed.split(",") if pattern.strip()]
    name = host.lower().rstrip(".")
    if patterns and not any(fnmatchcase(name, pattern) for pattern in patterns):
        raise NonRetryable(
            f'Steps may not go to the host "{host}"; {HOSTS_VARIABLE} lists where they may:'
            f" {', '.join(patterns)}."
        )


def is_public(text: str) -> bool:
    """Say whether an address is one that all of the internet knows.

    >>> is_public("8.8.8.8"), is_public("127.0.0.1"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    return all(
        one.is_global and not (one.is_multicast or one.is_reserved or one.is_unspecified)
        for one in _meant_by(address)
    )


def _meant_by(address: Address) -> list[Address]:
    """Return an address, or those of version 4 that one of version 6 stands for."""
    if isinstance(address, ipaddress.IPv4Address):
        return [address]
    if address.ipv4_mapped is not None:
        return [address.ipv4_mapped]
    if address in _NAT64:
        return [ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)]
    if address.sixtofour is not None:
        return [address, address.sixtofour]
    return [address, *(address.teredo or ())]
