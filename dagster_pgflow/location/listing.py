"""Which flows are jobs of the code location.

A job costs its code server 10 to 20 ms and 140 kB at each load, and Dagster's webserver and daemon
about as much: nothing for a hundred flows, minutes for ten thousand. A flow that is no job runs all
the same, when it is asked for.
"""

import inspect
import logging
from collections.abc import Callable, Collection, Mapping
from typing import Final, Literal

from dagster_pgflow.errors import ConfigurationError
from dagster_pgflow.store.catalog import FlowHead

_log = logging.getLogger(__name__)

JobChoice = Literal["all", "tagged"] | Callable[[FlowHead], object]
"""All flows, those that say so, or those for which a function says yes."""

JOB_TAGS: Final = ("job", "pgflow/job")
"""The tag by which a flow says that it is a job: as flows have it, and as Dagster shows it."""


def listed_flows(choice: JobChoice, heads: Collection[FlowHead]) -> frozenset[str]:
    """Return the flows that are jobs, by slug.

    A function that raises for a flow has not said yes: one flow's tags keep no other from loading.

    Args:
        choice: What the code location says.
        heads: The flows that there are.

    Raises:
        ConfigurationError: The choice is none.
    """
    if choice == "all":
        return frozenset(head.slug for head in heads)
    if choice == "tagged":
        return frozenset(head.slug for head in heads if is_tagged(head.tags) or head.is_scheduled)
    says: object = choice
    if not callable(says) or inspect.iscoroutinefunction(says):
        raise ConfigurationError(
            f'jobs={says!r} does not say which flows are jobs: write "all", "tagged", or a'
            " function that gets a flow's head (slug, version, tags, is_scheduled) and returns"
            " True or False."
        )
    return _chosen(says, heads)


def is_tagged(tags: Mapping[str, str]) -> bool:
    """Return whether a flow says that it is a job.

    >>> is_tagged({"job": "true"}), is_tagged({"pgflow/job": "true"}), is_tagged({"job": "daily"})
    (True, True, False)
    """
    return any(tags.get(key) == "true" for key in JOB_TAGS)


def _chosen(says: Callable[[FlowHead], object], heads: Collection[FlowHead]) -> frozenset[str]:
    listed: set[str] = set()
    silent: list[str] = []
    failures: list[tuple[str, Exception]] = []
    for head in heads:
        try:
            is_listed = bool(says(head))
        except Exception as error:  # noqa: BLE001  whatever a flow makes it raise, the others load
            failures.append((head.slug, error))
            is_listed = False
        if is_listed:
            listed.add(head.slug)
        elif head.is_scheduled:
            silent.append(head.slug)
    if failures:
        slug, first = failures[0]
        _log.warning(
            'jobs=... failed for %d flows, the first of which is "%s"; they are no jobs, and run'
            " when they are asked for.",
            len(failures),
            slug,
            exc_info=first,
        )
    if silent:
        _log.warning(
            "The schedules of these flows do not fire, because jobs=... says that they are no"
            " jobs: %s.",
            _some(silent),
        )
    return frozenset(listed)


def _some(slugs: list[str], most: int = 10) -> str:
    shown = ", ".join(f'"{slug}"' for slug in sorted(slugs)[:most])
    more = len(slugs) - most
    return f"{shown} and {more} more" if more > 0 else shown
