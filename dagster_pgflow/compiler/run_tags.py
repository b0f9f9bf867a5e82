"""Which tags of a flow its runs have in Dagster, where tags are orders.

A tag says which image a container has, how urgent a run is, whose it is: launchers, queues and
Dagster itself read tags, with a prefix (`dagster-k8s/config`, `dagster/priority`) and without
(`user`). So a row names no tag of Dagster's: its tags have a namespace of their own, and only what
the code location allows goes out of it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from dagster_pgflow.names import HIDDEN_TAGS, OWN_TAGS, USER_TAGS
from dagster_pgflow.validation.tags import LONGEST_KEY, LONGEST_VALUE, MOST_TAGS

_NAME: Final = re.compile(r"[A-Za-z0-9_.-]{1,63}")
_KEY: Final = re.compile(rf"({_NAME.pattern}/)?{_NAME.pattern}")


def run_tags(tags: Mapping[str, str], allowed: Sequence[str] = ()) -> dict[str, str]:
    """Return the tags of a flow's job and runs.

    Args:
        tags: The tags of the flow.
        allowed: The keys that may go out as they are; `*` stands for any text.

    >>> run_tags({"team": "docs", "dagster/priority": "9", "ecs/cpu": "4096"}, ["ecs/*"])
    {'pgflow/team': 'docs', 'ecs/cpu': '4096'}
    """
    found = {}
    for key, value in list(tags.items())[:MOST_TAGS]:
        name = _name(key, allowed)
        if name is not None and len(value) <= LONGEST_VALUE:
            found[name] = value
    return found


def withheld(tags: Mapping[str, str], allowed: Sequence[str] = ()) -> list[str]:
    """Return the keys of the tags that a flow's runs do not get, at a length that people read.

    Args:
        tags: The tags of the flow.
        allowed: The keys that may go out as they are.
    """
    given = run_tags(tags, allowed)
    kept = [key for key in tags if key not in given and f"{USER_TAGS}{key}" not in given]
    return [key[:LONGEST_KEY] for key in kept[:MOST_TAGS]]


def _name(key: str, allowed: Sequence[str]) -> str | None:
    """Return what a tag is called in Dagster, or nothing where it must not be there."""
    if key.startswith((OWN_TAGS, HIDDEN_TAGS)) or _KEY.fullmatch(key) is None:
        return None
    if key.startswith(USER_TAGS) or is_allowed(key, allowed):
        return key
    return None if "/" in key else f"{USER_TAGS}{key}"


def is_allowed(key: str, allowed: Sequence[str]) -> bool:
    """Return whether a code location lets a tag out as it is; `pgflow.tag_problem` agrees."""
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), key, re.DOTALL)
        for pattern in allowed
    )
