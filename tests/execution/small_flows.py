"""Flows and handlers that several tests of subflows share."""

from collections.abc import Callable
from typing import Any

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.step_errors import NonRetryable
from tests.execution.harness import BUILT_IN, gives


def fail(value: Any) -> Any:
    raise NonRetryable("no money")


def double(value: int) -> int:
    if value == 13:
        raise NonRetryable("no thirteen")
    return value * 2


HANDLERS: dict[str, Callable[..., Any]] = {**BUILT_IN, "fail": fail, "double": double}
PAYMENT = (
    Flow("payment")
    .step("check", "echo")
    .step("charge", "fail", depends_on="check")
    .step("receipt", "echo", depends_on="charge")
    .step("note", "echo", depends_on="check")
)
LEAF = Flow("leaf").step("x", "fail").step("y", "echo", depends_on="x")
MIDDLE = (
    Flow("middle").subflow("inner", "leaf").step("z", "echo", depends_on="inner").step("a", "echo")
)
CHILD = Flow("child").step("twice", "double").step("note", "echo", depends_on="twice")


def listing(items: Any, **settings: Any) -> Flow:
    return (
        Flow("top")
        .step("list", **gives(items))
        .subflow("each", "child", depends_on="list", **{"over": "list", **settings})
        .step("after", "echo", depends_on="each")
    )
