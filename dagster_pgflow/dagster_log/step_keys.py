"""The keys of Dagster steps: what they say, and how they were spelt before. Pure.

A key is the path of the op's node in its job, and in brackets the mapping key of a dynamic output:
`payment.charge[3]`, or `m[?]` for all elements of a list that is not known yet. In the run around a
run inside it, the path of that one stands before it: `each[3]/double[07]`.
"""

import re
from collections.abc import Set as AbstractSet
from typing import Final

_NODE_BEFORE_0_1: Final = re.compile(r"__pass_([0-9]+)(?=\.)")
_MAPPING_KEY: Final = re.compile(r"\[[^\]]*\]$")


def key_inside(child_run: str | None, step_key: str) -> str:
    """Return what a Dagster step of a run of its own is called in the run around it.

    Args:
        child_run: The path of the scope that is a run of its own, if any.
        step_key: The step in that run.
    """
    return step_key if child_run is None else f"{child_run}/{step_key}"


def node_and_index(step_key: str) -> tuple[str, str]:
    """Return the node of a Dagster step in its run, and its mapping key, which may be empty."""
    node, _, rest = step_key.rpartition("/")[2].partition("[")
    return node, rest.removesuffix("]")


def is_among(step_key: str, executed: AbstractSet[str]) -> bool:
    """Return whether a step is among those that a run executes: itself, or as one of all mapped.

    A run that goes on with another one, and sends out a list once more, names what runs for each
    element of it `m[?]`, whatever elements there were before.

    Args:
        step_key: The step.
        executed: What the run executes.
    """
    return step_key in executed or _MAPPING_KEY.sub("[?]", step_key) in executed


def node_of(step_key: str) -> str:
    """Return a key without its mapping key: what it has in common with all other elements.

    >>> node_of("each.double[07]"), node_of("each.double[?]")
    ('each.double', 'each.double')
    """
    return _MAPPING_KEY.sub("", step_key)


def spelt_today(step_key: str) -> str:
    """Return a key as it would be today, where it is one of a run from before version 0.1.

    An iteration of a loop was a node `<loop>__pass_1` then, which `<loop>__iteration_1` is now.
    Reports and stored outputs keep the key that they were written with.

    >>> spelt_today("essay.refine__pass_2.draft[3]")
    'essay.refine__iteration_2.draft[3]'
    """
    if "__pass_" not in step_key:
        return step_key
    return _NODE_BEFORE_0_1.sub(r"__iteration_\1", step_key)
