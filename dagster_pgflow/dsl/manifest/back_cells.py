"""What a step does, in the words of a manifest."""

from collections.abc import Iterator, Mapping
from typing import Any

from dagster_pgflow.dsl.manifest.halt_shape import HALT
from dagster_pgflow.dsl.manifest.manifest import Cell, Interceptor, InterceptorScope, Resilience
from dagster_pgflow.model.guards import GUARDS
from dagster_pgflow.model.options import MS
from dagster_pgflow.model.steps import ApprovalStep, BranchStep, HandledStep, Step, SubflowStep

HALTS = tuple(name.replace("-", "_") for name in HALT.fields)
_RETRY = ("max_attempts", "base_delay", "max_delay", "jitter")


def cell_of(step: Step) -> Cell:
    """Return the cell that a step with a handler, or with a flow, comes from."""
    if isinstance(step, ApprovalStep):
        halt = step.model_dump(mode="json", include={*HALTS}, exclude_defaults=True)
        return Cell(step.slug, halt=halt, doc=step.description)
    if isinstance(step, SubflowStep):
        return Cell(step.flow, flow=step.flow, doc=step.description)
    assert isinstance(step, HandledStep)  # noqa: S101
    by_label = (
        {
            rule.label: rule.output_schema
            for rule in step.rules
            if rule.label is not None and rule.output_schema is not None
        }
        if isinstance(step, BranchStep)
        else {}
    )
    return Cell(
        step.handler or step.slug,
        doc=step.description,
        input_schema=step.input_schema,
        output_schema=step.output_schema,
        output_schemas=by_label,
        params=step.params,
        requires=tuple(getattr(step, "requires", ())),
    )


def patience_of(step: Step, *, is_routed: bool) -> Resilience:
    """Return how failures of a step are met.

    Args:
        step: The step.
        is_routed: Whether its timeout leads to an edge, and is said there.
    """
    given: dict[str, Any] = step.options.model_dump(exclude_none=True)
    guards = step.model_dump(include={*GUARDS}, exclude_defaults=True)
    seconds = step.options.seconds
    retry = {name: given[name] for name in _RETRY if name in given}
    return Resilience(
        timeout_ms=None if seconds is None or is_routed else round(seconds * MS),
        retry=retry or None,
        circuit_breaker=guards.get("circuit_breaker"),
        bulkhead=guards.get("bulkhead"),
        rate_limiter=guards.get("rate_limiter"),
    )


def hooks_of(cell: str, hooked: Mapping[str, tuple[str, ...]]) -> Iterator[Interceptor]:
    """Yield interceptors that do around one cell what a step has done around it."""
    scope = InterceptorScope(cells=(cell,))
    for number, handler in enumerate(hooked.get("before", ()), 1):
        yield Interceptor(f"before-{cell}-{number}", scope, pre=handler)
    for number, handler in enumerate(reversed(hooked.get("after", ())), 1):
        yield Interceptor(f"after-{cell}-{number}", scope, post=handler)
