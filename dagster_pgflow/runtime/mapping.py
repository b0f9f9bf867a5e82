"""How a list becomes batches, and batches become one list again."""

from collections.abc import Iterator, Sequence
from typing import Any

from dagster_pgflow.errors import ListNotWhole
from dagster_pgflow.model.steps import MapStep
from dagster_pgflow.runtime.holding import waiting_among
from dagster_pgflow.runtime.values import Batch, Skipped, Waiting, foremost

OPS_SHOWN_ONE_BY_ONE = 100
OPS_OF_A_LARGE_MAP = 20


def batch_size_for(step: MapStep, elements: int) -> int:
    """Return how many elements one op handles.

    Up to 100 elements each has an op of its own; a larger list is spread over 20 ops, because
    an op costs Dagster far more time than most handlers take, and its UI far more room.
    """
    if step.batch_size is not None:
        return step.batch_size
    if elements <= OPS_SHOWN_ONE_BY_ONE:
        return 1
    return -(-elements // OPS_OF_A_LARGE_MAP)


def split(step: MapStep, elements: Sequence[Any]) -> Iterator[Batch]:
    """Yield the batches of a list; an empty list is one batch without elements."""
    size = batch_size_for(step, len(elements))
    for start in range(0, max(len(elements), 1), size):
        yield Batch(start, tuple(elements[start : start + size]), len(elements))


def join(received: Sequence[Batch | Skipped | Waiting], step: str) -> list[Any] | Skipped | Waiting:
    """Return the outputs of a map step by index; one skipped batch skips the whole step.

    One that is held holds the whole step.

    Args:
        received: What its ops sent.
        step: The map step, for the error.

    Raises:
        ListNotWhole: An element is missing, or there twice.
    """
    waiting = waiting_among(received)
    if waiting is not None:
        return waiting
    skips = [item for item in received if isinstance(item, Skipped)]
    if skips:
        return foremost(skips)
    batches = [item for item in received if isinstance(item, Batch)]
    whole: list[Any] = []
    for batch in sorted(batches, key=lambda batch: batch.start):
        if batch.start != len(whole):
            what = "missing" if batch.start > len(whole) else "there twice"
            at = min(batch.start, len(whole))
            raise ListNotWhole(f'Element {at} of map step "{step}" is {what}.')
        whole += batch.values
    # There is always at least one batch, also of an empty list.
    if not batches or any(batch.of not in (None, len(whole)) for batch in batches):
        wanted = max((batch.of or 0 for batch in batches), default="all")
        raise ListNotWhole(f'Map step "{step}" returned {len(whole)} of {wanted} elements.')
    return whole


def mapping_key(index: int, count: int) -> str:
    """Return the Dagster mapping key of a batch, padded so that keys sort as numbers."""
    return str(index).zfill(len(str(count - 1)))
