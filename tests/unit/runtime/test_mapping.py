"""How a list becomes batches, and batches a list."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.errors import ListNotWhole
from dagster_pgflow.model.steps import MapStep
from dagster_pgflow.runtime.mapping import batch_size_for, join, mapping_key, split
from dagster_pgflow.runtime.values import Batch, Skipped
from dagster_pgflow.step_path import StepPath


@pytest.mark.parametrize(
    ("elements", "size", "ops"),
    [(0, 1, 1), (1, 1, 1), (100, 1, 100), (101, 6, 17), (10_000, 500, 20)],
)
def test_up_to_a_hundred_elements_have_an_op_each_and_more_share_25(
    elements: int, size: int, ops: int
) -> None:
    step = MapStep(slug="m")
    assert batch_size_for(step, elements) == size
    assert len(list(split(step, range(elements)))) == ops


def test_a_given_batch_size_holds() -> None:
    batches = list(split(MapStep(slug="m", batch_size=2), "abcde"))
    assert batches == [Batch(0, ("a", "b"), 5), Batch(2, ("c", "d"), 5), Batch(4, ("e",), 5)]


def test_an_empty_list_is_one_batch_without_elements() -> None:
    assert list(split(MapStep(slug="m", batch_size=3), [])) == [Batch(0, (), 0)]


@given(st.lists(st.none() | st.integers()), st.none() | st.integers(1, 7), st.randoms())
def test_what_is_split_and_joined_in_any_order_is_the_same_list(
    elements: list[Any], size: int | None, order: random.Random
) -> None:
    batches = list(split(MapStep(slug="m", batch_size=size), elements))
    order.shuffle(batches)
    assert join(batches, "m") == elements


def test_one_skipped_batch_skips_the_whole_step() -> None:
    skipped = Skipped("handler_failed", StepPath("m"))
    assert join([Batch(0, (1,)), skipped, Batch(2, (3,))], "m") == skipped


@given(
    st.lists(st.integers(), min_size=1),
    st.integers(1, 7),
    st.randoms(),
    st.integers(),
    st.booleans(),
)
def test_a_list_of_which_a_batch_is_missing_or_there_twice_is_refused(
    elements: list[int], size: int, order: random.Random, which: int, is_missing: bool
) -> None:
    batches = list(split(MapStep(slug="m", batch_size=size), elements))
    one = batches.pop(which % len(batches))
    received = batches if is_missing else [*batches, one, one]
    order.shuffle(received)
    with pytest.raises(ListNotWhole, match=r'ap step "m".*`dagster-pgflow retry` with this run'):
        join(received, "m")


def test_batches_that_do_not_say_how_long_the_list_is_are_joined_without_gaps() -> None:
    assert join([Batch(2, (3,)), Batch(0, (1, 2))], "m") == [1, 2, 3]
    with pytest.raises(ListNotWhole, match="Element 2 "):
        join([Batch(3, (4,)), Batch(0, (1, 2))], "m")


@pytest.mark.parametrize("count", [1, 9, 10, 11, 100, 1000])
def test_mapping_keys_sort_as_numbers(count: int) -> None:
    keys = [mapping_key(index, count) for index in range(count)]
    assert sorted(keys) == keys
    assert len(set(keys)) == count
