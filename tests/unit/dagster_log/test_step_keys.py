"""Keys of Dagster steps: what a run executes of them, and how they were spelt before."""

import pytest

from dagster_pgflow.dagster_log.step_keys import is_among, spelt_today


@pytest.mark.parametrize("step_key", ["a", "m[3]", "w.m[x_1]"])
def test_a_step_is_executed_that_is_named(step_key: str) -> None:
    assert is_among(step_key, frozenset({step_key}))
    assert not is_among(step_key, frozenset({"b", "m", "m[4]"}))


def test_all_that_a_list_leads_to_is_executed_where_the_list_is_sent_out_again() -> None:
    executed = frozenset({"m__fan_out", "m[?]", "w.j[?]"})
    assert is_among("m[00]", executed)
    assert is_among("w.j[2]", executed)
    assert not is_among("m", executed)
    assert not is_among("w.m[00]", executed)


@pytest.mark.parametrize(
    ("before", "today"),
    [
        ("refine__pass_1.draft", "refine__iteration_1.draft"),
        ("a.b__pass_12.c__pass_3.d[07]", "a.b__iteration_12.c__iteration_3.d[07]"),
        ("each[3]/refine__pass_1.draft", "each[3]/refine__iteration_1.draft"),
        ("refine__pass_1.m__fan_out", "refine__iteration_1.m__fan_out"),
    ],
)
def test_iterations_of_old_runs_have_the_keys_of_today(before: str, today: str) -> None:
    assert spelt_today(before) == today
    assert spelt_today(today) == today


@pytest.mark.parametrize("step_key", ["by__pass_1", "by__pass_1_.x", "by__pass_1[3]"])
def test_a_step_may_look_like_an_iteration(step_key: str) -> None:
    assert spelt_today(step_key) == step_key
