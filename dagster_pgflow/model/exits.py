"""The exits of a fragment and where its host leads them: the rules of every kind of fragment.

A fragment of steps and one of cells differ in what their exits lead to, and not in this: each exit
is wired, and nothing is wired that is no exit.
"""

from collections.abc import Collection, Iterator

from dagster_pgflow.errors import Problem


def unwired_exits(
    fragment: str, declared: Collection[str], wired: Collection[str], advice: str
) -> Iterator[Problem]:
    """Yield a problem for each exit that the host says nothing about.

    Args:
        fragment: The name of the fragment.
        declared: Its exits.
        wired: Those that the host leads somewhere.
        advice: What to write for one.
    """
    for name in declared:
        if name not in wired:
            message = f'Exit "{name}" of fragment "{fragment}" is not wired; {advice}.'
            yield Problem("unwired-exit", f"exits.{name}", message)


def undeclared_exits(
    fragment: str, declared: Collection[str], wired: Collection[str]
) -> Iterator[Problem]:
    """Yield a problem for each exit that the host wires and the fragment does not have."""
    for name in wired:
        if name not in declared:
            known = ", ".join(declared) or "none"
            message = f'Fragment "{fragment}" has no exit "{name}"; it has {known}.'
            yield Problem("undeclared-exit", f"exits.{name}", message)
