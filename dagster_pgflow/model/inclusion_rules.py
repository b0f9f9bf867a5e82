"""What keeps a fragment from being included, all of it at once."""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.exits import undeclared_exits, unwired_exits
from dagster_pgflow.model.inclusion import Inclusion, with_more
from dagster_pgflow.model.steps import LoopStep, MapStep, SingleStep, Step
from dagster_pgflow.names import NAMES_KEY, NODE_TYPE_PREFIX, SLUG_RULE, is_valid_slug


def problems_of_inclusion(inclusion: Inclusion, host: Sequence[Step]) -> Iterator[Problem]:
    """Yield each problem of a fragment, and of how it is to stand in its host.

    Args:
        inclusion: The call.
        host: The steps that are there already.
    """
    place = f"include.{inclusion.prefix}"
    for rule in (_slugs, _inside, _conditions, _entries, _exits):
        for problem in rule(inclusion, host):
            yield Problem(problem.code, f"{place}.{problem.path}", problem.message)


def _slugs(inclusion: Inclusion, host: Sequence[Step]) -> Iterator[Problem]:
    """Check that every name is a slug, and that no two steps have the same one."""
    fragment, prefix = inclusion.fragment, inclusion.prefix
    if not is_valid_slug(fragment.slug):
        message = f'"{fragment.slug}" is not a valid fragment slug: {SLUG_RULE}.'
        yield Problem("invalid-slug", "fragment", message)
    if f"{fragment.slug}." == NODE_TYPE_PREFIX:
        message = f'"{fragment.slug}" is reserved for built-in node types; rename the fragment.'
        yield Problem("invalid-slug", "fragment", message)
    if not is_valid_slug(prefix):
        message = f'"{prefix}" is not a valid prefix of slugs: {SLUG_RULE}.'
        yield Problem("invalid-prefix", "prefix", message)
    taken = {step.slug for step in host}
    for slug, count in Counter(step.slug for step in fragment.steps).items():
        included = inclusion.slug_of(slug)
        if not is_valid_slug(slug):
            message = f'"{slug}" is not a valid step slug: {SLUG_RULE}.'
            yield Problem("invalid-slug", f"steps.{slug}", message)
        elif is_valid_slug(prefix) and not is_valid_slug(included):
            message = f'"{included}" is not a valid step slug; take a shorter prefix: {SLUG_RULE}.'
            yield Problem("invalid-prefix", "prefix", message)
        if count > 1:
            message = f'{count} steps of fragment "{fragment.slug}" are called "{slug}".'
            yield Problem("duplicate-step", f"steps.{slug}", message)
        if included in taken:
            message = f'There is a step "{included}" already; include it under another prefix.'
            yield Problem("duplicate-step", f"steps.{slug}", message)


def _inside(inclusion: Inclusion, _host: Sequence[Step]) -> Iterator[Problem]:
    """Check that the steps of the fragment name each other, and nothing outside."""
    fragment = inclusion.fragment
    known = {step.slug for step in fragment.steps}
    for step in fragment.steps:
        for dep in dict.fromkeys(step.depends_on):
            if dep not in known:
                yield Problem(
                    "unknown-dependency",
                    f"steps.{step.slug}.depends_on",
                    f'Step "{step.slug}" depends on "{dep}", which is not a step of fragment'
                    f' "{fragment.slug}"; what comes before a fragment is said where it is'
                    " included.",
                )
        for field, slug in step.failure_steps.items():
            if slug not in known:
                yield Problem(
                    "failure-step-unknown",
                    f"steps.{step.slug}.{field}",
                    f'The failure of step "{step.slug}" leads to "{slug}", which is not a'
                    f' step of fragment "{fragment.slug}"; add that step to it, and make it an'
                    " exit.",
                )
        routes = step.routes | ({"back_to": (step.back_to,)} if isinstance(step, LoopStep) else {})
        for field, slugs in routes.items():
            for slug in dict.fromkeys(slugs):
                if slug not in known:
                    yield Problem(
                        "target-unknown",
                        f"steps.{step.slug}.{field}",
                        f'Step "{step.slug}" leads to "{slug}", which is not a step of fragment'
                        f' "{fragment.slug}"; add that step to it.',
                    )


def _conditions(inclusion: Inclusion, _host: Sequence[Step]) -> Iterator[Problem]:
    """Check that the names of steps in conditions can be found."""
    for step in inclusion.fragment.steps:
        asked = {**step.expressions, **step.decisions, **step.computed}
        found = {
            **inclusion.conditions_of(step),
            **inclusion.decisions_of(step),
            **inclusion.computed_of(step),
        }
        for field, renamed in found.items():
            if renamed is None:
                yield Problem(
                    "unclear-condition",
                    f"steps.{step.slug}.{field}",
                    f"`{asked[field]}` does not tell which steps it asks for, and they"
                    " have other names here; name each of them as deps.<step>.",
                )


def _entries(inclusion: Inclusion, host: Sequence[Step]) -> Iterator[Problem]:
    """Check that the fragment begins somewhere, and what it is to wait for."""
    fragment = inclusion.fragment
    steps = {step.slug: step for step in fragment.steps}
    if not fragment.entries:
        why = "each of its steps depends on another" if steps else "it has no steps"
        message = f'Fragment "{fragment.slug}" has no entry: {why}.'
        yield Problem("missing-entry", "fragment", message)
    for slug in fragment.entries:
        if slug not in steps:
            message = (
                f'The entry of fragment "{fragment.slug}" is "{slug}", which is not a step of it'
            )
            yield Problem("missing-entry", "fragment", f"{message}; it has {_list(steps)}.")
    yield from _unknown_steps("depends_on", inclusion.depends_on.values(), host)
    for slug in dict.fromkeys(fragment.entries):
        if slug in steps:
            yield from _entry(inclusion, steps[slug])
    for slug, count in Counter(inclusion.depends_on.values()).items():
        if count > 1:
            message = f'Step "{slug}" has {count} names in depends_on; give it one.'
            yield Problem("ambiguous-dependency", "depends_on", message)


def _entry(inclusion: Inclusion, step: Step) -> Iterator[Problem]:
    kept = step.params.get(NAMES_KEY, {}) if isinstance(step, SingleStep) else {}
    for name in inclusion.depends_on:
        if name in (*step.depends_on, *kept.values()):
            yield Problem(
                "ambiguous-dependency",
                "depends_on",
                f'Entry "{step.slug}" would depend on two steps that it knows as "{name}"; give the'
                f" one from outside another name: depends_on={{<name>: <slug>}}.",
            )
    deps = with_more(step, inclusion.host_deps_of(step))
    if isinstance(step, MapStep) and len(deps) > 1:
        yield _second_source(f'Map step "{step.slug}", an entry,', "depends_on", deps)


def _exits(inclusion: Inclusion, host: Sequence[Step]) -> Iterator[Problem]:
    """Check that each exit is declared, is a step, and leads somewhere."""
    fragment, targets = inclusion.fragment, inclusion.targets
    steps = {step.slug for step in fragment.steps}
    advice = "name in exits the steps that depend on it, or [] if none does"
    for name, slug in fragment.exits.items():
        if slug not in steps:
            message = f'Exit "{name}" of fragment "{fragment.slug}" is step "{slug}", which it has'
            yield Problem("unknown-exit-step", f"exits.{name}", f"{message} not.")
        yield from unwired_exits(fragment.slug, [name], targets, advice)
    for name, slugs in targets.items():
        yield from undeclared_exits(fragment.slug, fragment.exits, [name])
        yield from _unknown_steps(f"exits.{name}", slugs, host)
    exits = inclusion.exits_of
    for step in host:
        deps = with_more(step, exits.get(step.slug, ()))
        # What was wrong before is not of our making.
        if isinstance(step, MapStep) and len(deps) > max(1, len(set(step.depends_on))):
            yield _second_source(f'Map step "{step.slug}"', "exits", deps)


def _unknown_steps(place: str, slugs: Iterable[str], host: Sequence[Step]) -> Iterator[Problem]:
    known = {step.slug for step in host}
    for slug in dict.fromkeys(slugs):
        if slug not in known:
            message = f'There is no step "{slug}" here; add it before the fragment is included.'
            yield Problem("unknown-step", place, message)


def _second_source(subject: str, place: str, deps: Sequence[str]) -> Problem:
    message = f"{subject} can have one dependency, and would have {len(deps)}: {', '.join(deps)}."
    return Problem("map-with-many-dependencies", place, message)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
