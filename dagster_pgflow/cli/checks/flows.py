"""Can the stored flows run, and are their handlers known?"""

from collections.abc import Iterator, Mapping, Sequence

from dagster_pgflow.cli.checks.check import Check, failed, ok, skipped, warning
from dagster_pgflow.cli.handler_modules import handlers_of
from dagster_pgflow.compiler.soundness import problems_of
from dagster_pgflow.errors import InvalidFlow, PgflowError, Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import HandledStep, HookedStep
from dagster_pgflow.runtime.hooks import unknown_hooks
from dagster_pgflow.store.catalog import Catalog
from dagster_pgflow.store.database import Database
from dagster_pgflow.validation.lint.lint import lint

MOST_SHOWN = 20


def check_flows(database: Database, handler_modules: Sequence[str]) -> Iterator[Check]:
    """Look for problems of the stored flows.

    Args:
        handler_modules: Modules that hold handlers, by their dotted names.
    """
    catalog = Catalog(database)
    pinned = catalog.flows(catalog.watermark())
    if not pinned:
        yield skipped("Flows", "none is stored; `dagster-pgflow load --examples` stores some")
        return
    unreadable = [f"{slug}: {p}" for slug, found in pinned.items() for p in found.problems]
    flows = {slug: found.flow for slug, found in pinned.items() if not found.problems}
    problems = unreadable + [
        f"{slug}: {p}"
        for slug, flow in flows.items()
        for p in problems_of(flow, flows) or _refused_schedules(flow)
    ]
    if problems:
        yield failed("Flows", _listed(problems))
    else:
        yield ok("Flows", f"{len(flows)} stored, all sound")
    advice = [f"{slug}: {w}" for slug, flow in flows.items() for w in lint(flow, flows)]
    if advice:
        yield warning("Definitions", _listed(advice))
    yield from _check_handlers(flows, handler_modules)
    required = sorted({name for flow in flows.values() for name in required_by(flow)})
    if required:
        yield skipped(
            "Resources",
            f"not looked at; flows require {', '.join(required[:MOST_SHOWN])}: a code location that"
            " lacks one says so in the job of the flow",
        )


def required_by(flow: Flow) -> Iterator[str]:
    """Yield the resources that the steps of a flow require."""
    for step in flow.steps:
        if isinstance(step, HookedStep):
            yield from step.requires


def _refused_schedules(flow: Flow) -> Iterator[Problem]:
    """Yield what keeps schedules of a sound flow from being there; only Dagster knows it all."""
    if not flow.schedules:
        return
    from dagster_pgflow.triggers.schedules import build_schedule  # noqa: PLC0415

    for schedule in flow.schedules:
        try:
            build_schedule(flow, schedule)
        except InvalidFlow as invalid:
            yield from invalid.problems


def _check_handlers(flows: Mapping[str, Flow], modules: Sequence[str]) -> Iterator[Check]:
    try:
        registry = handlers_of(modules)
    except PgflowError as error:
        yield failed("Handlers", f"The handlers cannot be loaded: {error}")
        return
    if not registry.handlers:
        yield skipped(
            "Handlers", "not looked at; name their modules: `doctor --handlers my_package.handlers`"
        )
        return
    unknown = [
        _step_and_handler(flow, step)
        for flow in flows.values()
        for step in flow.steps
        if isinstance(step, HandledStep)
        and registry.find(flow.slug, step.slug, step.handler) is None
    ]
    unknown += [
        f"{flow.slug}.{step.slug} ({field}: {name})"
        for flow in flows.values()
        for step in flow.steps
        for field, name in unknown_hooks(step, registry)
    ]
    if unknown:
        yield failed("Handlers", f"Not registered: {_listed(unknown)}")
    else:
        yield ok("Handlers", f"{len(registry.handlers)} registered, none is missing")


def _step_and_handler(flow: Flow, step: HandledStep) -> str:
    name = f"{flow.slug}.{step.slug}"
    return name if step.handler in (None, name) else f"{name} ({step.handler})"


def _listed(sentences: Sequence[str]) -> str:
    shown = list(sentences[:MOST_SHOWN])
    if len(sentences) > MOST_SHOWN:
        shown.append(f"... and {len(sentences) - MOST_SHOWN} more")
    return "\n".join(shown)
