"""Which networks are public.

Of version 4 it is all that are not set aside, of version 6 those that are handed out to sites. The
lists are those of the IANA registries for special purposes; what Python knows of them depends
on its version. Besides, there are the addresses under which clouds give a machine its passwords.
"""

import ipaddress
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def _networks(*texts: str) -> tuple[Network, ...]:
    return tuple(ipaddress.ip_network(text) for text in texts)


_SET_ASIDE: Final = _networks(
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16"),
    *("172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24"),
    *("192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24"),
    *("203.0.113.0/24", "224.0.0.0/3"),
)
_HANDED_OUT: Final = ipaddress.IPv6Network("2000::/3")
# Among them protocols, Teredo, examples, and 6to4, through which everything of version 4 is near.
_NOT_HANDED_OUT: Final = _networks("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")

_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")

_OF_CLOUDS: Final = _networks(
    "169.254.0.0/16",  # nearly all
    "168.63.129.16/32",  # Azure, in a public network
    "100.100.100.200/32",  # Alibaba
    "192.0.0.192/32",  # Oracle
    "fe80::/10",
    "fd00:ec2::/32",  # Amazon
    "fd20:ce::/32",  # Google
    "fd00:42::/32",  # Scaleway
)


def is_public(text: str) -> bool:
    """Return whether an address is one that all of the internet knows.

    >>> is_public("8.8.8.8"), is_public("127.0.0.1"), is_public("::ffff:10.0.0.1")
    (True, False, False)
    """
    match _address(text):
        case ipaddress.IPv4Address() as address:
            return not _lies_in(address, (*_SET_ASIDE, *_OF_CLOUDS))
        case address:
            return address in _HANDED_OUT and not _lies_in(address, _NOT_HANDED_OUT)


def is_of_a_cloud(text: str) -> bool:
    """Return whether a cloud gives the machine secrets there, or the machine's own link is meant.

    >>> is_of_a_cloud("169.254.169.254"), is_of_a_cloud("10.0.0.1")
    (True, False)
    """
    return _lies_in(_address(text), _OF_CLOUDS)


def _lies_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


def _address(text: str) -> Address:
    """Return an address, or the one of version 4 that it stands for."""
    address = ipaddress.ip_address(text.partition("%")[0])
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    is_compatible = int(address) >> 32 == 0 and int(address) > 1
    if address in _TRANSLATED or is_compatible:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address
