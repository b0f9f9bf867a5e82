import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.slugs import slugs_are_valid_and_unique
from tests.unit.validation.problems import places, problems_found


def test_good_slugs_are_no_problem() -> None:
    flow = Flow("order").step("_a").step("B2").schedule("nightly", "0 2 * * *")
    assert problems_found(slugs_are_valid_and_unique, flow) == []


@pytest.mark.parametrize("slug", ["", "run", "2nd", "a-b", "a b", "a.b", "é", "a" * 129, "a\n"])
def test_a_bad_slug_is_named_where_it_stands(slug: str) -> None:
    flow = Flow(slug).step(slug).schedule(slug, "0 2 * * *")
    assert places(slugs_are_valid_and_unique, flow) == [
        ("invalid-slug", "slug"),
        ("invalid-slug", f"steps.{slug}"),
        ("invalid-slug", f"schedules.{slug}"),
    ]


def test_the_sentence_says_what_a_slug_is() -> None:
    [(_, _, message)] = problems_found(slugs_are_valid_and_unique, Flow("my flow"))
    assert message == (
        '"my flow" is not a valid flow slug: a slug is 1 to 128 letters, digits or underscores,'
        ' does not start with a digit and is not the reserved word "run".'
    )


def test_two_steps_of_one_name_are_one_problem() -> None:
    flow = Flow("f").step("a").step("b").map("a").step("a")
    assert problems_found(slugs_are_valid_and_unique, flow) == [
        ("duplicate-step", "steps.a", '3 steps are called "a"; give each a slug of its own.')
    ]


def test_two_schedules_of_one_name_are_one_problem() -> None:
    flow = Flow("f").schedule("s", "0 1 * * *").schedule("s", "0 2 * * *")
    assert places(slugs_are_valid_and_unique, flow) == [("duplicate-schedule", "schedules.s")]


def test_a_step_may_be_called_as_a_schedule_or_as_its_flow() -> None:
    flow = Flow("a").step("a").schedule("a", "0 2 * * *")
    assert problems_found(slugs_are_valid_and_unique, flow) == []
