"""What the rules say about a flow, at the places of the document that it comes from."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from dagster_pgflow.dsl.workflow.flow_settings import place_of
from dagster_pgflow.dsl.workflow.parts import Problems
from dagster_pgflow.dsl.workflow.settings_shape import SETTINGS, written_name
from dagster_pgflow.dsl.workflow.steps import PlacedStep
from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.validate import validate

CHECKED_BEFORE: Final = frozenset(
    {
        "duplicate-step",
        "unknown-dependency",
        "self-dependency",
        "dependency-cycle",
        "failure-step-unknown",
        "failure-step-is-itself",
    }
)
"""What the document was checked for before, in its own words."""

LEADING: Final = ("on_failure", "on_timeout", "merge_input", "keep_input")
CONTENT: Final = (
    *("rules[", "condition", "max_iterations", "params", "handler", "options"),
    *(written_name(name) for name in SETTINGS if name not in LEADING),
)
"""The fields that mean what they say, however the step hangs together with others."""

_ADDED: Final = re.compile(r'add "(\w+)" to its depends_on')


def problems_of_flow(
    flow: Flow, steps: Sequence[PlacedStep], problems: Problems
) -> Iterator[Problem]:
    """Yield what is wrong with the flow of a document, and where that stands in the document.

    Args:
        flow: The flow, as far as it could be read.
        problems: What is known to be wrong; what follows from that is left out.
    """
    by_slug = {placed.step.slug: placed for placed in steps}
    for problem in validate(flow):
        slug, field = _split(problem.path, by_slug)
        is_incomplete = slug in problems.incomplete and _is_about_others(problem.code, field)
        if problem.code in CHECKED_BEFORE or is_incomplete:
            continue
        if problem.code == "invalid-slug" and (slug in by_slug or problem.path == "slug"):
            continue
        is_of_node = slug in by_slug
        path = _place_of(by_slug[slug], field) if is_of_node else place_of(problem.path, flow)
        yield Problem(problem.code, path, _in_words_of_documents(problem.message, slug))


def _is_about_others(code: str, field: str) -> bool:
    """Return whether a problem may come from how a step hangs together with others."""
    if code == "reference-to-no-dependency" or field.endswith(".then"):
        return True
    return not field.startswith(CONTENT)


def _in_words_of_documents(message: str, slug: str) -> str:
    """Return what a rule says about dependencies as something about edges."""
    sentence = _ADDED.sub(rf'add an edge from "\1" to "{slug}"', message)
    return sentence.replace("to its depends_on", "as an edge to it")


def _split(path: str, by_slug: Mapping[str, PlacedStep]) -> tuple[str, str]:
    """Return the step that a path leads to, and the rest of the path."""
    root, _, inside = path.partition(".")
    if root != "steps":
        return "", path
    slug, _, field = inside.partition(".")
    if slug in by_slug:
        return slug, field
    # An id that is no slug may have dots of its own.
    for longer in by_slug:
        if inside == longer or inside.startswith(f"{longer}."):
            return longer, inside[len(longer) + 1 :]
    return "", path


def _place_of(placed: PlacedStep, field: str) -> str:
    """Return where a field of a step stands: by the longest beginning whose place is known."""
    places = placed.places()
    ends = [len(field), *(at for at in range(len(field) - 1, 0, -1) if field[at] in ".[")]
    for end in ends:
        place = places.get(field[:end])
        if place is not None:
            return place + field[end:]
    return placed.node.place
