"""Whether somebody registers the handlers that steps name."""

from collections.abc import Iterator

from dagster_pgflow.errors import Problem, may_be_meant
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import HandledStep, Step
from dagster_pgflow.runtime.handlers import HandlerRegistry, names_of
from dagster_pgflow.runtime.hooks import unknown_hooks
from dagster_pgflow.validation.node_types import is_node_type


def problems_of_handlers(flow: Flow, handlers: HandlerRegistry) -> Iterator[Problem]:
    """Yield where steps name handlers that are not here.

    In a run that is no problem until the step begins; who writes a flow wants to know before.

    Args:
        flow: The flow; which built-in node types there are, validation knows.
        handlers: The handlers of a code location.
    """
    for step in flow.steps:
        yield from _of_work(flow.slug, step, handlers)
        for field, name in unknown_hooks(step, handlers):
            yield _unknown(f"steps.{step.slug}.{field}", step, [name], handlers)


def _of_work(flow_slug: str, step: Step, handlers: HandlerRegistry) -> Iterator[Problem]:
    if not isinstance(step, HandledStep) or not step.needs_handler or is_node_type(step.handler):
        return
    if handlers.find(flow_slug, step.slug, step.handler) is None:
        names = names_of(flow_slug, step.slug, step.handler)
        yield _unknown(f"steps.{step.slug}.handler", step, names, handlers)


def _unknown(place: str, step: Step, names: list[str], handlers: HandlerRegistry) -> Problem:
    listed = " or ".join(f'"{name}"' for name in names)
    hints = (may_be_meant(name, tuple(handlers.handlers)) for name in names)
    return Problem(
        "unknown-handler",
        place,
        f'Step "{step.slug}" needs a handler called {listed}, and none of the modules registers'
        f" one{next(filter(None, hints), '')}; add a function decorated with @handler.",
    )
