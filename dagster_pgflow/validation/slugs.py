"""Slugs follow the slug rule and name one thing each."""

from collections import Counter
from collections.abc import Iterable, Iterator

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import SLUG_RULE, is_valid_slug
from dagster_pgflow.validation.rule import KnownFlows


def slugs_are_valid_and_unique(flow: Flow, _known: KnownFlows) -> Iterator[Problem]:
    """Check the flow's own slug, and those of its steps and schedules."""
    yield from _invalid("slug", "flow", [flow.slug])
    for word, slugs, code in (
        ("step", [step.slug for step in flow.steps], "duplicate-step"),
        ("schedule", [schedule.slug for schedule in flow.schedules], "duplicate-schedule"),
    ):
        yield from _invalid(f"{word}s", word, dict.fromkeys(slugs))
        for slug, count in Counter(slugs).items():
            if count > 1:
                yield Problem(
                    code,
                    f"{word}s.{slug}",
                    f'{count} {word}s are called "{slug}"; give each a slug of its own.',
                )


def _invalid(place: str, word: str, slugs: Iterable[str]) -> Iterator[Problem]:
    for slug in slugs:
        if not is_valid_slug(slug):
            path = place if word == "flow" else f"{place}.{slug}"
            message = f'"{slug}" is not a valid {word} slug: {SLUG_RULE}.'
            yield Problem("invalid-slug", path, message)
