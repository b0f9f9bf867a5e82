"""Refuses definitions: by the rules before anything is written, and as SQL does by its codes."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from dagster_pgflow.errors import InvalidFlow, Problem, StoreRefused, UnknownFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import Step, SubflowStep
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.failures import is_about_unknown_flow
from dagster_pgflow.store.flows_around import tree_at
from dagster_pgflow.validation.validate import validate

_MAY_COME_LATER: Final = frozenset({"target-unknown", "failure-step-unknown"})
"""Of a step that others lead to, which stands behind them and so is added after them."""


def known_flows(transaction: Transaction, given: Mapping[str, Flow]) -> dict[str, Flow]:
    """Return the given flows and all stored ones that these contain, by slug."""
    named = {
        step.flow for flow in given.values() for step in flow.steps if isinstance(step, SubflowStep)
    }
    stored: dict[str, Flow] = {}
    for slug in sorted(named - given.keys()):
        if slug not in stored:
            stored |= tree_at(transaction, slug)
    return {**stored, **given}


def refuse_problems(given: Mapping[str, Flow], known: Mapping[str, Flow]) -> None:
    """Raise with every problem of some flows.

    Args:
        given: The flows.
        known: The flows that they may contain.
    """
    problems = {slug: found for slug, flow in given.items() if (found := validate(flow, known))}
    if not problems:
        return
    if len(given) == 1:
        [(slug, found)] = problems.items()
        raise InvalidFlow(slug, found)
    named = [
        Problem(problem.code, f"{slug}.{problem.path}", problem.message)
        for slug, found in problems.items()
        for problem in found
    ]
    raise InvalidFlow(", ".join(problems), named)


def refuse_broken(found: Iterable[tuple[str, Problem]], changed: str) -> None:
    """Raise with what is wrong with stored flows, now that others have changed."""
    problems = [
        Problem(problem.code, f"{slug}.{problem.path}", problem.message) for slug, problem in found
    ]
    if problems:
        raise InvalidFlow(changed, problems)


def refuse_new_problems(transaction: Transaction, stored: Flow, step: Step) -> None:
    """Raise when a flow has problems with one more step that it has not without it."""
    if any(other.slug == step.slug for other in stored.steps):
        return  # SQL says whether it is the same step.
    wanted = stored.model_copy(update={"steps": (*stored.steps, step)})
    known = known_flows(transaction, {stored.slug: wanted})
    problems = validate(wanted, known)
    if problems:
        before = set(validate(stored, known))
        problems = tuple(p for p in problems if p not in before and p.code not in _MAY_COME_LATER)
    if problems:
        raise InvalidFlow(stored.slug, problems)


@contextmanager
def refusals_as_problems(
    database: Database, flow_slug: str, path: str = "$", *, kind: str = "Flow"
) -> Iterator[None]:
    """Raise for a definition that SQL refuses what the rules would have raised.

    Args:
        database: The store.
        flow_slug: The flow that is changed.
        path: Where the problem is, as far as it is known.
        kind: What has this slug.

    Raises:
        InvalidFlow: With the one problem that SQL found.
        UnknownFlow: There is no such flow.
    """
    try:
        yield
    except StoreRefused as error:
        if is_about_unknown_flow(error):
            raise UnknownFlow(flow_slug) from error
        code = error.code
        if code is None and error.constraint is not None:
            code = database.fetch_value("fetch_problem_code", constraint_name=error.constraint)
        if code is None:
            raise
        raise InvalidFlow(flow_slug, [Problem(code, path, str(error))], kind) from error
