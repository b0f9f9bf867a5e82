"""Runs one built-in node type as a step would, without Dagster."""

import logging
from types import SimpleNamespace
from typing import Any

from dagster_pgflow.model.steps import SingleStep
from dagster_pgflow.runtime.attempt import attempt
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.handlers import HandlerRegistry
from dagster_pgflow.runtime.params import params_given
from dagster_pgflow.runtime.secrets import Secrets


def output_of(
    kind: str,
    params: dict[str, Any],
    value: Any = None,
    *,
    depends_on: tuple[str, ...] = (),
    flow_input: Any = None,
    timeout: float = 30,
    left_alone_after: float | None = None,
    resources: Any = None,
) -> Any:
    """Return the output of one attempt of a step of type `pgflow.<kind>`.

    Args:
        left_alone_after: When the attempt is given up from outside; without it at its timeout.
    """
    step = SingleStep(slug="s", handler=f"pgflow.{kind}", params=params, depends_on=depends_on)
    handler = HandlerRegistry().find("f", "s", step.handler)
    assert handler is not None
    secrets = Secrets(resources)

    def attempted() -> Any:
        given = params_given(
            step, handler, value, lambda: flow_input, secrets, are_read=handler.wants_context
        )
        context = StepContext(
            flow_input=flow_input,
            run_id="r-1",
            flow_slug="f",
            step_slug="s",
            step_path="s",
            task_index=0,
            task_path="s",
            attempt=1,
            idempotency_key="r-1:s:0",
            params=given,
            log=logging.getLogger("tests.nodes"),
            resources=resources or SimpleNamespace(),
            depends_on=depends_on,
            deps=value if depends_on else {},
            timeout=timeout,
            secrets=secrets.given,
        )
        return attempt(handler, value, context, left_alone_after or timeout)

    return secrets.kept_out_of(attempted)
