"""The flow that `dagster-pgflow test` runs, with those inside it, from files or the store."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dagster_pgflow.cli.named_flow import flows_of_file, is_file, stored_flow
from dagster_pgflow.cli.opened_store import opened_store
from dagster_pgflow.errors import ConfigurationError, UnknownFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import SubflowStep
from dagster_pgflow.store.flows import FlowBuilder


def flows_under_test(name: str, more_files: Sequence[Path]) -> tuple[str | None, Sequence[Flow]]:
    """Return the slug of the flow, and all flows that a run of it may need.

    What is in no file is read from the store, which is only opened then; nothing is stored.

    Args:
        name: A stored flow, one of its versions, or a file.
        more_files: Files with flows that it contains.

    Returns:
        No slug where the file has several flows that are none of one another's.

    Raises:
        UnknownFlow: There is no such stored flow.
        InvalidFlow: A file cannot be read as flows, with every problem.
    """
    found: dict[str, Flow] = {}
    for path in more_files:
        found |= {flow.slug: flow for flow in flows_of_file(path, found)}
    if is_file(name):
        own = flows_of_file(Path(name), found)
        found |= {flow.slug: flow for flow in own}
        slug = _outermost(own)
    else:
        with opened_store() as database:
            flow = stored_flow(FlowBuilder(database), name)
        found[flow.slug] = flow
        slug = flow.slug
    if any(True for _ in _missing(found)):
        with opened_store() as database:
            _fill(found, FlowBuilder(database))
    return slug, list(found.values())


def chosen(slug: str | None, wanted: str | None, flows: Sequence[Flow], name: str) -> str:
    """Return the slug of the flow that a case runs.

    Args:
        slug: The one that FLOW stands for, if that is clear.
        wanted: The one that the case names.
        flows: All there are.
        name: What FLOW is.

    Raises:
        ConfigurationError: It is not clear which is meant, or there is none such.
    """
    slugs = [flow.slug for flow in flows]
    if wanted is None and slug is not None:
        return slug
    if wanted in slugs:
        return str(wanted)
    what = f'no flow "{wanted}"' if wanted else "several flows"
    raise ConfigurationError(
        f"{name} holds {what}; let the case say which: flow: {' or '.join(slugs)}."
    )


def _outermost(flows: Sequence[Flow]) -> str | None:
    """Return the only flow that is part of no other one."""
    inside = {slug for flow in flows for slug in _inside(flow)}
    outside = [flow.slug for flow in flows if flow.slug not in inside]
    return outside[0] if len(outside) == 1 else None


def _inside(flow: Flow) -> Iterator[str]:
    yield from (step.flow for step in flow.steps if isinstance(step, SubflowStep))


def _missing(flows: Mapping[str, Flow]) -> Iterator[str]:
    yield from (slug for flow in flows.values() for slug in _inside(flow) if slug not in flows)


def _fill(flows: dict[str, Flow], builder: FlowBuilder) -> None:
    """Add the flows that others contain, as far as they are stored; the run says what is not."""
    asked = set[str]()
    while missing := set(_missing(flows)) - asked:
        asked |= missing
        for slug in sorted(missing):
            with suppress(UnknownFlow):
                flows[slug] = builder.get_flow(slug)
