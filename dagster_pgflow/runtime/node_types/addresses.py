"""Where http steps may go: the addresses that a name stands for, and which of them are refused.

What is checked is what is connected to. A name that another answer is given for a moment later,
as in DNS rebinding, leads nowhere else.
"""

import os
import socket
import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

from dagster_pgflow.runtime.node_types.call import HttpCall
from dagster_pgflow.runtime.node_types.networks import is_of_a_cloud, is_public
from dagster_pgflow.step_errors import HttpFailed, NonRetryable

HOSTS_VARIABLE: Final = "PGFLOW_HTTP_HOSTS"
"""Names that http steps may go to, separated by commas, `*` for any part; without it all."""


@dataclass(frozen=True)
class Target:
    """One place to connect to.

    Attributes:
        family: The family of its address, as sockets have it.
        address: The address with the port, as sockets have it.
    """

    family: int
    address: Any


def targets_of(
    call: HttpCall, *, allow_private: bool, allow_hosts: Sequence[str], who: str = "step"
) -> list[Target]:
    """Return where a request may go, in the order of preference.

    Args:
        allow_private: Whether its host may lie in a private network or be this computer.
        allow_hosts: The hosts that the step may go to; none means all.
        who: Who goes there, for people.

    Raises:
        NonRetryable: Steps may not go there.
        HttpFailed: There is no such host, or nobody knows in time.
    """
    _refuse_unless_listed(call, allow_hosts, who, f"the {who}'s own allow_hosts lists")
    listed = os.environ.get(HOSTS_VARIABLE, "").split(",")
    _refuse_unless_listed(call, listed, who, f"{HOSTS_VARIABLE} lists")
    targets = _looked_up(call)
    for target in targets:
        _refuse_inside(call, str(target.address[0]), who, allow_private=allow_private)
    return targets


def _refuse_unless_listed(call: HttpCall, listed: Iterable[str], who: str, lister: str) -> None:
    patterns = [pattern.strip().lower() for pattern in listed if pattern.strip()]
    name = call.host.lower().rstrip(".")
    if patterns and not any(fnmatchcase(name, pattern) for pattern in patterns):
        raise NonRetryable(
            f'The {who} may not go to the host "{call.shown_host}"; {lister} where it may:'
            f" {', '.join(patterns)}."
        )


def _refuse_inside(call: HttpCall, address: str, who: str, *, allow_private: bool) -> None:
    host = call.shown_host
    shown = f'"{host}"' if address == call.host else f'"{host}", which is {address},'
    if is_of_a_cloud(address):
        raise NonRetryable(
            f"The address {shown} is one where a machine can read its own secrets; no {who} may"
            " go there."
        )
    if not allow_private and not is_public(address):
        raise NonRetryable(
            f"The address {shown} lies in no public network; say allow_private if the {who} may go"
            " there."
        )


def _looked_up(call: HttpCall) -> list[Target]:
    """Ask for the addresses of a host, and wait for the answer no longer than until the deadline.

    The thread that asks is ended by the timeout of the system, which is short.
    """
    found: list[Any] = []
    host, port = call.host, call.port

    def ask() -> None:
        try:
            found.append(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            found.append(error)

    thread = threading.Thread(target=ask, name="pgflow-look-up", daemon=True)
    thread.start()
    thread.join(call.seconds_left)
    match found:
        case [list() as answers]:
            return list(dict.fromkeys(Target(answer[0], answer[4]) for answer in answers))
        case [error]:
            reason = getattr(error, "strerror", None) or "it is no name"
            raise HttpFailed(f'The host "{call.shown_host}" cannot be found: {reason}.')
        case _:
            raise call.took_too_long
