"""Flows that include fragments, in real Dagster."""

from typing import Any

import pytest
from pydantic import BaseModel

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.fragment import Fragment
from dagster_pgflow.validation.validate import validate
from tests.execution.harness import gives, run


class Verdict(BaseModel):
    ok: bool
    who: str


class Checked(BaseModel):
    """What a handler of the fragment takes: it knows nothing of prefixes."""

    check: Verdict


def check(given: dict[str, Any]) -> Verdict:
    return Verdict(ok=given["request"]["name"] == "Ada", who=given["request"]["name"])


def grant(given: Checked, ctx: Any) -> str:
    return f"{ctx.step_slug}: {ctx.params['word']}, {given.check.who}"


def refuse(given: Checked) -> str:
    return f"not you, {given.check.who}"


HANDLERS: dict[str, Any] = {"login.check": check, "login.grant": grant, "login.refuse": refuse}
LOGIN = (
    Fragment("login", exits={"allowed": "grant", "denied": "refuse"})
    .step("check", run_if="has(deps.request)")
    .step(
        "grant",
        params={"word": "welcome"},
        depends_on="check",
        run_if="deps.check.ok",
        when_unmet="skip-cascade",
    )
    .step("refuse", depends_on="check", if_={"check": {"ok": False}}, when_unmet="skip-cascade")
)
SHOP = (
    Flow("shop", max_attempts=1)
    .step("form", "echo")
    .step("ship", "echo")
    .step("reject", "echo")
    .include(
        LOGIN,
        "login",
        depends_on={"request": "form"},
        exits={"allowed": "ship", "denied": "reject"},
    )
)


@pytest.mark.parametrize(
    ("name", "outputs", "skips"),
    [
        (
            "Ada",
            {"ship": {"login_grant": "login_grant: welcome, Ada"}},
            {"login_refuse": "condition_unmet", "reject": "dependency_skipped"},
        ),
        (
            "Bob",
            {"reject": {"login_refuse": "not you, Bob"}},
            {"login_grant": "condition_unmet", "ship": "dependency_skipped"},
        ),
    ],
)
def test_a_run_leaves_a_fragment_by_the_exit_whose_step_ran(
    name: str, outputs: dict[str, Any], skips: dict[str, str]
) -> None:
    assert validate(SHOP) == ()
    result = run(SHOP, {"name": name}, handlers=HANDLERS)
    assert result.success
    assert {slug: result.outputs.get(slug) for slug in outputs} == outputs
    assert result.outputs["login_check"] == {"ok": name == "Ada", "who": name}
    assert result.skips == skips
    assert result.helpers == []


def test_a_fragment_runs_twice_in_one_flow_with_the_same_handlers() -> None:
    flow = (
        Flow("trade", max_attempts=1)
        .step("buyer", **gives({"name": "Ada"}))
        .step("seller", **gives({"name": "Bob"}))
        .step("sign", "echo")
        .include(
            LOGIN, "b", depends_on={"request": "buyer"}, exits={"allowed": "sign", "denied": []}
        )
        .include(
            LOGIN, "s", depends_on={"request": "seller"}, exits={"allowed": [], "denied": "sign"}
        )
    )
    result = run(flow, handlers=HANDLERS)
    assert result.outputs["sign"] == {
        "b_grant": "b_grant: welcome, Ada",
        "s_refuse": "not you, Bob",
    }
    assert result.skips == {"b_refuse": "condition_unmet", "s_grant": "condition_unmet"}


def test_maps_and_subflows_of_a_fragment_run_in_a_fragment_of_a_fragment() -> None:
    inner = (
        Fragment("inner", exits={"done": "sum"})
        .map("double")
        .step("sum", depends_on="double")
        .subflow(
            "tell", "child", depends_on="sum", input={"sum": "$nodes.sum", "who": "$input.who"}
        )
    )
    outer = (
        Fragment("outer", exits={"done": "last"})
        .step("list")
        .step("last", depends_on="list")
        .include(inner, "in", depends_on="list", exits={"done": "last"})
    )
    flow = Flow("f", max_attempts=1).step("a", "echo").step("z", "echo")
    flow = flow.include(outer, "out", depends_on="a", exits={"done": "z"})
    handlers = {
        "inner.double": lambda number: number * 2,
        "inner.sum": lambda given: sum(given["double"]),
        "outer.list": lambda given: given["a"]["numbers"],
        "outer.last": lambda given: [given["list"], given["in_sum"]],
    }
    child = Flow("child").step("first", "echo")
    result = run(flow, {"numbers": [1, 2], "who": "Ada"}, others=[child], handlers=handlers)
    assert result.success, result.errors
    assert result.outputs["z"] == {"out_last": [[1, 2], 6]}
    assert result.outputs["out_in_tell.first"] == {"sum": 6, "who": "Ada"}
