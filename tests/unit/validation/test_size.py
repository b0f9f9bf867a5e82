from collections.abc import Iterator, Mapping

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps.loop import MOST_ITERATIONS_IN_A_JOB
from dagster_pgflow.validation.size import MOST_LEVELS, MOST_STEPS, flow_fits_in_one_run
from dagster_pgflow.validation.validate import validate
from tests.unit.validation.problems import places, problems_found


def of_steps(slug: str, count: int) -> Flow:
    steps = tuple(Flow("x").step(f"s{n}").steps[0] for n in range(count))
    return Flow(slug).model_copy(update={"steps": steps})


def nested(levels: int) -> dict[str, Flow]:
    deepest = Flow(f"level{levels}").step("x")
    outer = [Flow(f"level{n}").subflow("s", f"level{n + 1}") for n in range(1, levels)]
    return {flow.slug: flow for flow in [*outer, deepest]}


def test_the_most_steps_and_levels_are_no_problem() -> None:
    known = nested(MOST_LEVELS)
    assert problems_found(flow_fits_in_one_run, known["level1"], known) == []
    assert problems_found(flow_fits_in_one_run, of_steps("f", MOST_STEPS)) == []


def test_more_steps_are_a_problem() -> None:
    assert problems_found(flow_fits_in_one_run, of_steps("f", MOST_STEPS + 1)) == [
        (
            "too-many-steps",
            "steps",
            (
                "A run of this flow has 10001 steps with those of its subflows and of each"
                " iteration of its loops; 10000 are the most. Let a map step do what many steps do,"
                " or lower max_iterations."
            ),
        )
    ]


def test_the_steps_of_subflows_count_as_often_as_they_run() -> None:
    known = {"half": of_steps("half", MOST_STEPS // 2)}
    twice = Flow("f").subflow("a", "half").subflow("b", "half")
    assert places(flow_fits_in_one_run, twice, known) == []
    assert places(flow_fits_in_one_run, twice.step("c"), known) == [("too-many-steps", "steps")]


def test_a_flow_that_is_a_run_of_its_own_is_one_step() -> None:
    known = {"whole": of_steps("whole", MOST_STEPS)}
    apart = (
        Flow("f")
        .subflow("a", "whole", mode="run")
        .subflow("b", "whole", over="$input.x", mode="run")
    )
    assert places(flow_fits_in_one_run, apart, known) == []
    within = apart.subflow("c", "whole")
    [(_, _, message)] = problems_found(flow_fits_in_one_run, within, known)
    assert f"has {MOST_STEPS + 2} steps" in message


def test_the_steps_of_a_loop_count_once_where_passes_are_runs_of_their_own() -> None:
    known = {"hundred": of_steps("hundred", 100)}

    def repeated(most: int) -> Flow:
        body = Flow("f").subflow("draft", "hundred")
        return body.loop(
            "judge", back_to="draft", condition="true", max_iterations=most, depends_on="draft"
        )

    too_many = [("too-many-steps", "steps")]
    assert places(flow_fits_in_one_run, repeated(MOST_ITERATIONS_IN_A_JOB), known) == too_many
    assert places(flow_fits_in_one_run, repeated(MOST_ITERATIONS_IN_A_JOB + 1), known) == []


def test_the_steps_of_a_loop_count_as_often_as_they_may_run() -> None:
    known = {"hundred": of_steps("hundred", 100)}
    inner = Flow("f").subflow("draft", "hundred")
    inner = inner.loop(
        "judge", back_to="draft", condition="true", max_iterations=9, depends_on="draft"
    )
    assert places(flow_fits_in_one_run, inner, known) == []
    outer = inner.loop(
        "plan", back_to="draft", condition="true", max_iterations=11, depends_on="judge"
    )
    [(_, _, message)] = problems_found(flow_fits_in_one_run, outer, known)
    assert f"has {11 * (9 * (100 + 1) + 1)} steps" in message
    around = (
        Flow("g")
        .subflow("one", "f")
        .loop("again", back_to="one", condition="true", max_iterations=12, depends_on="one")
    )
    assert places(flow_fits_in_one_run, around, known | {"f": inner}) == [
        ("too-many-steps", "steps")
    ]


def test_more_levels_are_a_problem() -> None:
    known = nested(MOST_LEVELS + 1)
    assert problems_found(flow_fits_in_one_run, known["level1"], known) == [
        (
            "too-many-levels",
            "steps",
            "Subflows lie in subflows 51 levels deep; 50 are the most.",
        )
    ]


def test_a_flow_that_never_ends_and_unknown_flows_are_left_to_the_other_rule() -> None:
    assert places(flow_fits_in_one_run, Flow("a").subflow("s", "a")) == []
    assert places(flow_fits_in_one_run, Flow("a").subflow("s", "nowhere"), {}) == []


class Reading(Mapping[str, Flow]):
    """Flows that are read when they are asked for."""

    def __init__(self, *flows: Flow) -> None:
        self.flows = {flow.slug: flow for flow in flows}
        self.read: set[str] = set()

    def __getitem__(self, slug: str) -> Flow:
        self.read.add(slug)
        return self.flows[slug]

    def __iter__(self) -> Iterator[str]:
        return iter(self.flows)

    def __len__(self) -> int:
        return len(self.flows)

    def __contains__(self, slug: object) -> bool:
        return slug in self.flows


def test_only_the_flows_inside_are_read() -> None:
    known = Reading(Flow("inside").step("x"), Flow("other").step("x"))
    assert validate(Flow("f").subflow("s", "inside"), known) == ()
    assert known.read == {"inside"}
