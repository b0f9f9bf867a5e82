"""What keeps a fragment from being included is told at once, each in a sentence."""

from typing import Any

import pytest

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.fragment import Fragment
from dagster_pgflow.names import SLUG_RULE

HOST = Flow("host").step("a").step("b").map("m", depends_on="a")
PLAIN = Fragment("f", exits={"out": "s"}).step("s")


def refusals(fragment: Any, prefix: Any = "p", **arguments: Any) -> list[str]:
    """Returns what is wrong with an inclusion whose exit "out" is wired unless told otherwise.

    Where it stands is told from the inclusion on.
    """
    given = {"exits": {"out": "b"}, **arguments}
    with pytest.raises(InvalidFlow) as refused:
        HOST.include(fragment, prefix, **given)
    return [str(problem).removeprefix("include.p.") for problem in refused.value.problems]


@pytest.mark.parametrize(
    ("fragment", "told"),
    [
        (
            Fragment("f", exits={"out": "s"}, entry="start").step("s"),
            (
                'fragment: The entry of fragment "f" is "start", which is not a step of it; it'
                " has s. [missing-entry]"
            ),
        ),
        (
            Fragment("f", exits={"out": "s"}).step("s", depends_on="t").step("t", depends_on="s"),
            (
                'fragment: Fragment "f" has no entry: each of its steps depends on another.'
                " [missing-entry]"
            ),
        ),
        (
            Fragment("f", exits={"out": "grant"}).step("s"),
            (
                'exits.out: Exit "out" of fragment "f" is step "grant", which it has not.'
                " [unknown-exit-step]"
            ),
        ),
        (
            PLAIN.step("t", depends_on=["s", "a"]),
            (
                'steps.t.depends_on: Step "t" depends on "a", which is not a step of fragment'
                ' "f"; what comes before a fragment is said where it is included.'
                " [unknown-dependency]"
            ),
        ),
        (
            PLAIN.subflow("t", "other", on_failure="b"),
            (
                'steps.t.on_failure: The failure of step "t" leads to "b", which is not a step'
                ' of fragment "f"; add that step to it, and make it an exit. [failure-step-unknown]'
            ),
        ),
        (
            PLAIN.branch("t", rules=[("true", "b")], depends_on="s"),
            (
                'steps.t.rules[0].then: Step "t" leads to "b", which is not a step of fragment "f";'
                " add that step to it. [target-unknown]"
            ),
        ),
        (
            PLAIN.loop("t", back_to="b", condition="true", max_iterations=2, depends_on="s"),
            (
                'steps.t.back_to: Step "t" leads to "b", which is not a step of fragment "f"; add'
                " that step to it. [target-unknown]"
            ),
        ),
        (
            PLAIN.step("s"),
            'steps.s: 2 steps of fragment "f" are called "s". [duplicate-step]',
        ),
        (
            PLAIN.step("2nd"),
            f'steps.2nd: "2nd" is not a valid step slug: {SLUG_RULE}. [invalid-slug]',
        ),
        (
            PLAIN.model_copy(update={"slug": "my fragment"}),
            (f'fragment: "my fragment" is not a valid fragment slug: {SLUG_RULE}. [invalid-slug]'),
        ),
        (
            PLAIN.step("t", depends_on="s", run_if="deps.exists(name, name == 's')"),
            (
                "steps.t.run_if: `deps.exists(name, name == 's')` does not tell which steps"
                " it asks for, and they have other names here; name each of them as deps.<step>."
                " [unclear-condition]"
            ),
        ),
    ],
)
def test_a_problem_in_the_fragment_is_told(fragment: Fragment, told: str) -> None:
    assert refusals(fragment) == [told]


def test_a_fragment_without_steps_has_no_entry() -> None:
    assert refusals(Fragment("f"), exits={}) == [
        'fragment: Fragment "f" has no entry: it has no steps. [missing-entry]'
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (
            {"exits": {"out": "b", "denied": "b"}},
            ('exits.denied: Fragment "f" has no exit "denied"; it has out. [undeclared-exit]'),
        ),
        (
            {"exits": None},
            (
                'exits.out: Exit "out" of fragment "f" is not wired; name in exits the'
                " steps that depend on it, or [] if none does. [unwired-exit]"
            ),
        ),
        (
            {"exits": {"out": ["b", "ship"]}},
            (
                'exits.out: There is no step "ship" here; add it before the fragment is'
                " included. [unknown-step]"
            ),
        ),
        (
            {"depends_on": ["a", "later"]},
            (
                'depends_on: There is no step "later" here; add it before the fragment is'
                " included. [unknown-step]"
            ),
        ),
        (
            {"exits": {"out": ["b", "m"]}},
            (
                'exits: Map step "m" can have one dependency, and would have 2: a, p_s.'
                " [map-with-many-dependencies]"
            ),
        ),
        (
            {"depends_on": {"x": "a", "y": "a"}},
            ('depends_on: Step "a" has 2 names in depends_on; give it one. [ambiguous-dependency]'),
        ),
    ],
)
def test_a_problem_in_the_wiring_is_told(arguments: dict[str, Any], told: str) -> None:
    assert refusals(PLAIN, **arguments) == [told]


def test_a_map_step_that_is_an_entry_has_one_dependency() -> None:
    mapped = Fragment("f", exits={"out": "s"}).map("s")
    assert refusals(mapped, depends_on=["a", "b"], exits={"out": []}) == [
        (
            'depends_on: Map step "s", an entry, can have one dependency, and would have 2:'
            " a, b. [map-with-many-dependencies]"
        )
    ]
    fed = Fragment("f", entry="t").step("s").map("t", depends_on="s")
    assert refusals(fed, depends_on="a", exits={}) == [
        (
            'depends_on: Map step "t", an entry, can have one dependency, and would have 2:'
            " s, a. [map-with-many-dependencies]"
        )
    ]


def test_what_was_wrong_with_the_flow_before_is_not_told_here() -> None:
    broken = HOST.map("n", depends_on=["a", "b"]).step("o", depends_on="gone")
    assert len(broken.include(PLAIN, "p", exits={"out": "b"}).steps) == 6


def test_an_entry_cannot_know_two_dependencies_by_one_name() -> None:
    fed = Fragment("f", entry="t").step("a").step("t", depends_on="a")
    assert refusals(fed, depends_on="a", exits={}) == [
        (
            'depends_on: Entry "t" would depend on two steps that it knows as "a"; give the'
            " one from outside another name: depends_on={<name>: <slug>}. [ambiguous-dependency]"
        )
    ]
    assert HOST.include(fed, "p", depends_on={"order": "a"}).steps[-1].depends_on == ("p_a", "a")


def test_a_name_from_a_fragment_inside_counts_too() -> None:
    inner = Fragment("inner").step("ask")
    outer = Fragment("outer", entry="in_ask").step("load")
    outer = outer.include(inner, "in", depends_on={"who": "load"})
    [told] = refusals(outer, depends_on={"who": "a"}, exits={})
    assert 'Entry "in_ask" would depend on two steps that it knows as "who"' in told
    assert len(HOST.include(outer, "p", depends_on={"whom": "a"}).steps) == 5


def test_the_slugs_must_be_free() -> None:
    taken = HOST.step("p_s")
    with pytest.raises(InvalidFlow) as refused:
        taken.include(PLAIN, "p", exits={"out": "b"})
    assert [str(problem) for problem in refused.value.problems] == [
        (
            'include.p.steps.s: There is a step "p_s" already; include it under another prefix.'
            " [duplicate-step]"
        )
    ]
    once = HOST.include(PLAIN, "p", exits={"out": "b"})
    with pytest.raises(InvalidFlow, match='There is a step "p_s" already'):
        once.include(PLAIN, "p", exits={"out": "b"})


@pytest.mark.parametrize("prefix", ["", "2nd", "a-b", "run", "é"])
def test_the_prefix_is_a_slug(prefix: str) -> None:
    assert refusals(PLAIN, prefix) == [
        (
            f'include.{prefix}.prefix: "{prefix}" is not a valid prefix of slugs: {SLUG_RULE}.'
            " [invalid-prefix]"
        )
    ]


def test_a_prefix_must_leave_room_for_the_slugs() -> None:
    [told] = refusals(PLAIN, "p" * 127)
    assert told.endswith(
        f"not a valid step slug; take a shorter prefix: {SLUG_RULE}. [invalid-prefix]"
    )
    assert len(HOST.include(PLAIN, "p" * 126, exits={"out": "b"}).steps[-1].slug) == 128


def test_all_that_is_wrong_is_told_at_once() -> None:
    broken = Fragment("f", exits={"x": "gone", "y": "s"}, entry="start").step("s").step("s")
    told = refusals(broken, "2nd", depends_on="later", exits={"x": "ship", "z": "m"})
    assert [text.rpartition(" ")[2] for text in told] == [
        "[invalid-prefix]",
        "[duplicate-step]",
        "[missing-entry]",
        "[unknown-step]",
        "[unknown-exit-step]",
        "[unwired-exit]",
        "[unknown-step]",
        "[undeclared-exit]",
    ]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("login", "p"), "fragment is 'login'; it must be a Fragment."),
        ((HOST, "p"), "it must be a Fragment."),
        ((PLAIN, 5), "prefix is 5; it must be text."),
        ((PLAIN, "p", {"depends_on": 5}), "depends_on is 5; it must be a slug, or a list of slugs"),
        ((PLAIN, "p", {"depends_on": [5]}), "depends_on is [5]; it must be a slug"),
        ((PLAIN, "p", {"exits": "b"}), "exits is 'b'; it must be a dict."),
        ((PLAIN, "p", {"exits": {"out": 5}}), "exits['out'] is 5; it must be a list."),
    ],
)
def test_an_argument_that_cannot_be_what_it_is_is_told(
    arguments: tuple[Any, ...], told: str
) -> None:
    fragment, prefix, *more = arguments
    [problem] = refusals(fragment, prefix, **(more[0] if more else {}))
    assert told in problem


def test_the_arguments_of_a_fragment_are_told_in_the_same_way() -> None:
    with pytest.raises(InvalidFlow) as refused:
        Fragment("login", exits=["out"], entry=5, max_attempts=3)
    told = [str(problem) for problem in refused.value.problems]
    assert told == [
        "exits: exits is ['out']; it must be a dict. [wrong-argument]",
        "entry: entry is 5; it must be a slug, or a list of slugs. [wrong-argument]",
        (
            'max_attempts: Fragment() has no argument "max_attempts"; there are: slug, description,'
            " exits, entry, steps. [unknown-argument]"
        ),
    ]
    assert str(refused.value).startswith('Fragment "login" has 3 problems')
