"""Fragments: steps that are written once and included in many flows."""

import doctest
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model import fragment
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.fragment import Fragment
from dagster_pgflow.model.steps import Step
from dagster_pgflow.names import NAMES_KEY
from dagster_pgflow.validation.validate import validate

LOGIN = (
    Fragment("login", exits={"allowed": "grant", "denied": "refuse"})
    .step("check")
    .step("grant", depends_on="check", run_if="output.ok", when_unmet="skip-cascade")
    .step("refuse", depends_on="check", run_unless="output.ok", when_unmet="skip-cascade")
)
SHOP = Flow("shop").step("request").step("ship").step("reject").step("note")
WIRED = {"allowed": "ship", "denied": ["reject", "note"]}


def step_of(flow: Flow | Fragment, slug: str) -> Step:
    [found] = [step for step in flow.steps if step.slug == slug]
    return found


def deps_of(flow: Flow | Fragment) -> dict[str, tuple[str, ...]]:
    return {step.slug: step.depends_on for step in flow.steps}


def included(fragment: Fragment, **arguments: Any) -> Flow:
    """Returns a flow with a step "a" that includes a fragment behind it, under "p"."""
    return Flow("host").step("a").include(fragment, "p", **{"depends_on": "a", **arguments})


def test_the_example_is_true() -> None:
    assert doctest.testmod(fragment).failed == 0


def test_an_included_flow_is_the_one_that_could_be_written_by_hand() -> None:
    flow = SHOP.include(LOGIN, "login", depends_on="request", exits=WIRED)
    known: dict[str, Any] = {NAMES_KEY: {"login_check": "check"}}
    assert flow == (
        Flow("shop")
        .step("request")
        .step("ship", depends_on="login_grant")
        .step("reject", depends_on="login_refuse")
        .step("note", depends_on="login_refuse")
        .step("login_check", "login.check", depends_on="request")
        .step(
            "login_grant",
            "login.grant",
            params=known,
            depends_on="login_check",
            run_if="output.ok",
            when_unmet="skip-cascade",
        )
        .step(
            "login_refuse",
            "login.refuse",
            params=known,
            depends_on="login_check",
            run_unless="output.ok",
            when_unmet="skip-cascade",
        )
    )
    assert validate(flow) == ()
    assert Flow.model_validate(flow.to_json()) == flow


def test_the_flow_that_includes_a_fragment_stays_as_it_is() -> None:
    before = SHOP.to_json()
    SHOP.include(LOGIN, "login", exits=WIRED)
    assert SHOP.to_json() == before


def test_one_flow_may_include_a_fragment_twice() -> None:
    flow = (
        SHOP.step("other")
        .include(LOGIN, "buyer", depends_on="request", exits=WIRED)
        .include(LOGIN, "seller", depends_on="other", exits={"allowed": "ship", "denied": []})
    )
    assert deps_of(flow) == {
        "request": (),
        "other": (),
        "ship": ("buyer_grant", "seller_grant"),
        "reject": ("buyer_refuse",),
        "note": ("buyer_refuse",),
        "buyer_check": ("request",),
        "buyer_grant": ("buyer_check",),
        "buyer_refuse": ("buyer_check",),
        "seller_check": ("other",),
        "seller_grant": ("seller_check",),
        "seller_refuse": ("seller_check",),
    }
    assert validate(flow) == ()


def test_without_dependencies_the_entry_is_a_root_step_of_the_flow() -> None:
    flow = SHOP.include(LOGIN, "login", exits={"allowed": "ship", "denied": []})
    assert step_of(flow, "login_check").depends_on == ()


def test_an_exit_may_lead_nowhere_or_to_steps_that_come_later() -> None:
    flow = (
        Flow("shop")
        .include(LOGIN, "login", exits={"allowed": [], "denied": []})
        .step("ship", depends_on="login_grant")
    )
    assert step_of(flow, "ship").depends_on == ("login_grant",)
    assert validate(flow) == ()


def test_two_exits_may_meet_in_one_step_and_one_step_may_be_two_exits() -> None:
    flow = SHOP.include(LOGIN, "login", exits={"allowed": "note", "denied": ("note", "note")})
    assert step_of(flow, "note").depends_on == ("login_grant", "login_refuse")
    twice = Fragment("f", exits={"x": "s", "y": "s"}).step("s")
    flow = SHOP.include(twice, "p", exits={"x": "note", "y": "note"})
    assert step_of(flow, "note").depends_on == ("p_s",)


def test_a_step_without_a_handler_finds_the_same_one_in_every_flow() -> None:
    once = Fragment("f").step("a").map("b").step("c", "shared").subflow("s", "other")
    steps = Flow("host").include(once, "p").steps
    assert [getattr(step, "handler", "none") for step in steps] == ["f.a", "f.b", "shared", "none"]


def test_all_that_a_step_says_besides_stays() -> None:
    settings: dict[str, Any] = {"max_attempts": 2, "jitter": "full", "when_exhausted": "skip"}
    mapped = Fragment("f").map("a", batch_size=3, collect_errors=True, **settings)
    flow = included(mapped.map("b", depends_on="a", pipelined=True, params={"n": 1}))
    own = Flow("f").map("a", batch_size=3, collect_errors=True, **settings)
    changes = {"slug": "p_a", "depends_on": ("a",), "handler": "f.a"}
    assert step_of(flow, "p_a") == own.steps[0].model_copy(update=changes)
    assert step_of(flow, "p_b").model_dump(include={"pipelined", "params"}) == {
        "pipelined": True,
        "params": {"n": 1},
    }


def test_conditions_name_the_steps_by_their_new_slugs() -> None:
    once = (
        Fragment("f")
        .step("x")
        .step(
            "y",
            depends_on="x",
            if_={"x": {"x": 1}},
            if_not={"x": {"y": 2}},
            run_if="deps.x.x == 1 && 'x' in input",
            run_unless="flow_input.x == output.x || input['x'].y == 'x'",
        )
    )
    step = step_of(included(once), "p_y")
    assert (step.if_, step.if_not) == ({"p_x": {"x": 1}}, {"p_x": {"y": 2}})
    assert step.run_if == "deps.p_x.x == 1 && 'p_x' in input"
    assert step.run_unless == "flow_input.x == output.x || input['p_x'].y == 'x'"


def test_a_root_step_asks_for_keys_of_the_flow_input_under_their_own_names() -> None:
    once = Fragment("f").step("x", if_={"y": 1}, run_if="input.y == 1").step("y", depends_on="x")
    step = step_of(included(once, depends_on=()), "p_x")
    assert (step.if_, step.run_if) == ({"y": 1}, "input.y == 1")


def test_a_subflow_step_maps_from_the_new_slugs_and_fails_into_one() -> None:
    once = (
        Fragment("f")
        .step("cart")
        .subflow(
            "pay",
            "payment",
            depends_on="cart",
            input={"sum": "$nodes.cart.sum", "who": "$input.cart", "text": "${$nodes.cart.id}!"},
            output={"id": "$nodes.cart.id"},
            on_failure="refund",
        )
        .step("refund", depends_on="pay")
    )
    flow = included(once)
    written = Flow("by_hand").subflow(
        "p_pay",
        "payment",
        depends_on="p_cart",
        input={"sum": "$nodes.p_cart.sum", "who": "$input.cart", "text": "${$nodes.p_cart.id}!"},
        # These are steps of the flow inside.
        output={"id": "$nodes.cart.id"},
        on_failure="p_refund",
    )
    assert step_of(flow, "p_pay") == written.steps[0]


@pytest.mark.parametrize(
    ("written", "renamed"),
    [
        ("cart", "p_cart"),
        ("$nodes.cart.items", "$nodes.p_cart.items"),
        ("$input.cart", "$input.cart"),
        ("order", "a"),
        (None, None),
    ],
)
def test_a_subflow_runs_over_the_list_of_the_step_that_it_named(
    written: str | None, renamed: str | None
) -> None:
    once = Fragment("f", entry=["cart", "each"]).step("cart")
    once = once.subflow("each", "x", depends_on="cart", over=written, input={"it": "$item.cart"})
    step = step_of(included(once, depends_on={"order": "a"}), "p_each")
    assert step.model_dump(include={"over", "input"}) == {
        "over": renamed,
        "input": {"it": "$item.cart"},
    }


def test_a_fragment_may_know_what_comes_before_it_by_a_name_of_its_own() -> None:
    once = (
        Fragment("f")
        .step("x", if_={"order": {"paid": True}}, run_if="deps.order.sum > 1 && size(input.z) > 1")
        .subflow("s", "other", input={"sum": "$nodes.order.sum"})
        .step("y", depends_on="x", if_={"x": 1})
    )
    host = Flow("host").step("cart").step("z")
    flow = host.include(once, "p", depends_on={"order": "cart", "z": "z"})
    step = step_of(flow, "p_x")
    assert step.depends_on == ("cart", "z")
    assert step.if_ == {"cart": {"paid": True}}
    assert step.run_if == "deps.cart.sum > 1 && size(input.z) > 1"
    assert step.model_dump()["params"] == {NAMES_KEY: {"cart": "order"}}
    assert step_of(flow, "p_s").model_dump()["input"] == {"sum": "$nodes.cart.sum"}
    assert step_of(flow, "p_y").model_dump()["params"] == {NAMES_KEY: {"p_x": "x"}}


def test_a_step_of_the_flow_may_be_called_like_one_of_the_fragment() -> None:
    once = Fragment("f").step("x", run_if="deps.a.ok").step("a", depends_on="x", run_if="deps.x.ok")
    flow = included(once)
    assert step_of(flow, "p_x").run_if == "deps.a.ok"
    assert step_of(flow, "p_a").run_if == "deps.p_x.ok"
    failing = Fragment("f").subflow("x", "other", on_failure="a").step("a", depends_on="x")
    assert step_of(included(failing), "p_x").model_dump()["on_failure"] == "p_a"


def test_an_entry_may_be_named_and_other_root_steps_then_wait_for_nothing() -> None:
    once = Fragment("f", entry="check").step("load").step("check", depends_on="load").step("alone")
    flow = included(once)
    assert deps_of(flow) == {"a": (), "p_load": (), "p_check": ("p_load", "a"), "p_alone": ()}
    both = Fragment("f", entry=["load", "alone"]).step("load").step("check").step("alone")
    assert deps_of(included(both)) == {"a": (), "p_load": ("a",), "p_check": (), "p_alone": ("a",)}


def test_a_fragment_may_include_another() -> None:
    ask = (
        Fragment("ask", exits={"yes": "answer"})
        .step("question")
        .step("answer", depends_on="question", run_if="deps.question.ok")
    )
    login = (
        Fragment("login", exits={"in": "grant", "answered": "ask_answer"})
        .step("load")
        .step("grant")
        .include(ask, "ask", depends_on={"who": "load"}, exits={"yes": "grant"})
    )
    assert login.entries == ("load",)
    flow = included(login, exits={"in": [], "answered": []})
    assert deps_of(flow) == {
        "a": (),
        "p_load": ("a",),
        "p_grant": ("p_ask_answer",),
        "p_ask_question": ("p_load",),
        "p_ask_answer": ("p_ask_question",),
    }
    assert step_of(flow, "p_ask_answer").run_if == "deps.p_ask_question.ok"
    described = {step.slug: step.model_dump(include={"handler", "params"}) for step in flow.steps}
    assert described["p_ask_question"] == {
        "handler": "ask.question",
        "params": {NAMES_KEY: {"p_load": "who"}},
    }
    # Who wrote this handler knows the question by its bare name, who wrote that one the answer.
    assert described["p_ask_answer"]["params"] == {NAMES_KEY: {"p_ask_question": "question"}}
    assert described["p_grant"]["params"] == {NAMES_KEY: {"p_ask_answer": "ask_answer"}}
    assert validate(flow) == ()


def test_a_fragment_is_no_flow_that_a_step_can_run() -> None:
    with pytest.raises(InvalidFlow, match="it must be a Flow, or the slug of one") as refused:
        Flow("f").subflow("s", LOGIN)  # type: ignore[arg-type]
    assert [problem.path for problem in refused.value.problems] == ["steps.s.flow"]


NAMES = st.sampled_from(["a", "b", "check", "input", "deps", "a_b", "p", "x1"])


@given(st.lists(NAMES, min_size=1, unique=True), st.data())
def test_any_fragment_gives_the_steps_that_could_be_written_by_hand(
    slugs: list[str], data: st.DataObject
) -> None:
    deps = {
        slug: data.draw(st.lists(st.sampled_from(slugs[:at]), max_size=3, unique=True))
        if at
        else []
        for at, slug in enumerate(slugs)
    }
    kinds = {slug: data.draw(st.sampled_from(["single", "map", "subflow"])) for slug in slugs}
    deps |= {slug: deps[slug][:1] for slug in slugs if kinds[slug] == "map"}
    ends = data.draw(st.lists(st.sampled_from(slugs), max_size=3, unique=True))

    written = Fragment("f", exits={f"after_{slug}": slug for slug in ends})
    by_hand = Flow("host").step("before").step("end", depends_on=[f"p_{slug}" for slug in ends])
    for slug in slugs:
        written = with_step(written, kinds[slug], slug, deps[slug], prefix="")
        before = [] if deps[slug] else ["before"]
        by_hand = with_step(by_hand, kinds[slug], slug, deps[slug], prefix="p_", before=before)
    host = Flow("host").step("before").step("end")
    exits = {f"after_{slug}": "end" for slug in ends}
    assert host.include(written, "p", depends_on="before", exits=exits) == by_hand


def with_step(
    flow: Any, kind: str, slug: str, deps: list[str], *, prefix: str, before: Sequence[str] = ()
) -> Any:
    """Adds a step that names its dependencies wherever a step can."""
    named = [f"{prefix}{dep}" for dep in deps]
    settings: dict[str, Any] = {"depends_on": [*named, *before]}
    if deps:
        settings |= {
            "if_": {name: {"ok": dep} for name, dep in zip(named, deps, strict=True)},
            "run_if": " && ".join(f"deps.{name}.{slug} == '{slug}'" for name in named),
            "run_unless": " || ".join(f"has(input . {name}) // {slug}\n" for name in named),
        }
    if kind == "subflow":
        template = {f"{dep}": f"$nodes.{name}.a" for dep, name in zip(deps, named, strict=True)}
        return flow.subflow(f"{prefix}{slug}", "other", input={"x": [template]}, **settings)
    handled: dict[str, Any] = {"handler": f"f.{slug}" if prefix else None, "params": {"n": 1}}
    if kind == "map":
        return flow.map(f"{prefix}{slug}", **handled, **settings)
    if prefix and deps:
        handled["params"] |= {NAMES_KEY: dict(zip(named, deps, strict=True))}
    return flow.step(f"{prefix}{slug}", **handled, **settings)
