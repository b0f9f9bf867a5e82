"""Which route a run takes behind a branch, a loop, or a step with a failure step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import BranchStep, JoinStep, LoopStep, Step
from tests.reference.conditions import Asked, says
from tests.reference.endings import Failure, SkipReason, StepEnd
from tests.reference.loops import behind


@dataclass(frozen=True)
class OtherWay:
    """Why a step is skipped that the run does not come by.

    Attributes:
        behind: The steps behind which the run takes another route.
        reason: What the step says.
    """

    behind: frozenset[str]
    reason: SkipReason


def skip_by(flow: Flow, step: Step, deps: Mapping[str, StepEnd]) -> StepEnd | None:
    """Say how a step is skipped because of what became of its dependencies, if it is.

    Args:
        flow: The flow.
        step: One of its steps.
        deps: How the dependencies ended; none of them failed.
    """
    if isinstance(step, JoinStep) and step.wait != "all":
        return too_few(flow, step, deps)
    if any(dep.cascades for dep in deps.values()):
        return StepEnd("skipped", skip_reason="dependency_skipped", cascades=True)
    route = other_way(flow, step, deps)
    return None if route is None else StepEnd("skipped", None, route.reason, not_taken=route.behind)


def decided(step: BranchStep | LoopStep, asked: Asked, end: StepEnd) -> StepEnd:
    """Return how a branch or a loop ends that decides with its output.

    Args:
        step: The step.
        asked: What its conditions are about.
        end: How it ended, but for that.
    """
    if isinstance(step, BranchStep):
        rules = (rule.then for rule in step.rules if says(rule.when, step, asked, end.output))
        return replace(end, taken=frozenset(next(rules, step.default_path)))
    if not says(step.condition, step, asked, end.output):
        return replace(end, taken=frozenset(step.break_path))
    if asked.iteration < step.max_iterations:
        return replace(end, again=True)
    return replace(end, taken=frozenset(step.timeout_path))


def other_way(flow: Flow, step: Step, deps: Mapping[str, StepEnd]) -> OtherWay | None:
    """Return whether the run takes another route than to a step.

    It does when a dependency is missed, unless one that is not missed lies on another route behind
    the same step, and neither of the two lies on that of the other.

    Args:
        flow: The flow.
        step: One of its steps.
        deps: How the dependencies ended.
    """
    missed = dict(missed_by(flow, step, deps))
    came = deps.keys() - missed.keys()
    lost = [
        route
        for slug, route in missed.items()
        if (
            # One failure is enough for the step that goes on after several.
            not any(step.slug in failure_steps_of(flow, other) for other in came)
            if step.slug in failure_steps_of(flow, slug)
            else not any(
                exclude_each_other(flow, step, deciding, slug, other)
                for deciding in route.behind
                for other in came
            )
        )
    ]
    if not lost:
        return None
    # Of several reasons it says the one of its first dependency.
    return OtherWay(frozenset(slug for way in lost for slug in way.behind), lost[0].reason)


def missed_by(
    flow: Flow, step: Step, deps: Mapping[str, StepEnd]
) -> Iterator[tuple[str, OtherWay]]:
    """Yield the dependencies of a step that the run does not come to it by.

    A failure step waits for a failure that leads to it, other direct dependents of what failed for
    anything else. The steps that a branch or a loop names wait until it decides for them;
    where it is skipped, it decides for none.
    """
    for slug, dep in deps.items():
        own = frozenset({slug})
        if step.slug in failure_steps_of(flow, slug):
            if dep.routed and dep.leads_to != step.slug:
                yield slug, OtherWay(own, "not_taken")
            elif not dep.routed:
                yield slug, behind_another(dep) if dep.not_taken else OtherWay(own, "not_taken")
        elif dep.routed:
            yield slug, OtherWay(own, "not_taken")
        elif dep.not_taken:
            yield slug, behind_another(dep)
        elif step.slug in targets_of(flow, slug):
            if dep.status == "skipped":
                yield slug, OtherWay(own, "dependency_skipped")
            elif step.slug not in dep.taken:
                yield slug, OtherWay(own, "not_taken")


def behind_another(dep: StepEnd) -> OtherWay:
    """Return why the run does not come by what lies behind a step that it does not come by."""
    assert dep.skip_reason is not None
    return OtherWay(dep.not_taken, dep.skip_reason)


def exclude_each_other(flow: Flow, step: Step, forked: str, missed: str, came: str) -> bool:
    """Return whether two dependencies of a step lie on routes behind another one of which each is
    alone.

    A route leads from the step that forks straight to this one where it is one of its beginnings.
    Where the step that forks fails and the run goes on, it leaves all routes but one: what goes on
    with its failure lies on none of the others, even where they lead there too.
    """
    ends = failure_ends_of(flow, forked)

    def lie_apart(routes: set[str], some: set[str], left_out: set[str]) -> bool:
        def on(dep: str) -> set[str]:
            if dep == forked:
                return routes & {step.slug}
            return {one for one in routes if dep in behind(without(flow, left_out - {one}), {one})}

        one, other = on(missed), on(came)
        return bool(one - other and other - one and (one ^ other) & some)

    decided_for = targets_of(flow, forked)
    return lie_apart(decided_for, decided_for, set()) or (
        bool(ends) and lie_apart(dependents_of(flow, forked), ends, ends)
    )


def without(flow: Flow, slugs: set[str]) -> Flow:
    """Return a flow without some of its steps."""
    return flow.model_copy(
        update={"steps": tuple(step for step in flow.steps if step.slug not in slugs)}
    )


def begins_of(flow: Flow, slug: str) -> set[str]:
    """Return the steps that the routes behind a step begin with."""
    failing = failure_ends_of(flow, slug)
    return targets_of(flow, slug) | (dependents_of(flow, slug) if failing else set())


def dependents_of(flow: Flow, slug: str) -> set[str]:
    """Return the steps that depend on a step."""
    return {other.slug for other in flow.steps if slug in other.depends_on}


def targets_of(flow: Flow, slug: str) -> set[str]:
    """Return the steps that a step decides about."""
    match step_of(flow, slug):
        case BranchStep() as step:
            return {target for rule in step.rules for target in rule.then} | set(step.default_path)
        case LoopStep() as step:
            # Where both paths lead, the run comes by anyway.
            return set(step.break_path) ^ set(step.timeout_path)
        case _:
            return set()


def too_few(flow: Flow, step: JoinStep, deps: Mapping[str, StepEnd]) -> StepEnd | None:
    """Return how a join ends that waits for some of its dependencies, when too few completed."""
    least = {"any": 1}.get(step.wait) if isinstance(step.wait, str) else step.wait
    missed = dict(missed_by(flow, step, deps))
    came = [slug for slug in deps.keys() - missed.keys() if deps[slug].status == "completed"]
    if least is None or len(came) >= least:
        return None
    not_taken = frozenset(slug for way in missed.values() for slug in way.behind)
    cascades = any(dep.cascades for dep in deps.values())
    reasons = {way.reason for way in missed.values()}
    none_taken = missed.keys() == deps.keys() and reasons == {"not_taken"}
    reason: SkipReason = "not_taken" if none_taken else "dependency_skipped"
    return StepEnd("skipped", skip_reason=reason, cascades=cascades, not_taken=not_taken)


def failure_steps_of(flow: Flow, slug: str) -> set[str]:
    """Return the steps that a step names to go on with when it fails."""
    step = step_of(flow, slug)
    named = {step.on_failure, getattr(step, "on_timeout", None)}
    return {slug for slug in named if slug is not None}


def failure_ends_of(flow: Flow, slug: str) -> set[str]:
    """Return the steps that a run may go on with when a step fails: joins catch failures, too."""
    return failure_steps_of(flow, slug) or {
        join.slug for join in flow.steps if slug in members_of(join)
    }


def leads_to(flow: Flow, step: Step, failure: Failure) -> str | None:
    """Return the step that a flow goes on with when a step fails, if it goes on.

    Args:
        flow: The flow.
        step: The step.
        failure: What went wrong.
    """
    if failure.may_not_run:
        return None
    own = getattr(step, "on_timeout", None) if failure.timed_out else None
    catching = (join.slug for join in flow.steps if step.slug in members_of(join))
    return own or step.on_failure or next(catching, None)


def members_of(step: Step) -> tuple[str, ...]:
    """Return the dependencies with which a join fails, in place of the run."""
    if not isinstance(step, JoinStep) or step.on_failure is None:
        return ()
    return step.members or step.depends_on


def step_of(flow: Flow, slug: str) -> Step:
    """Return a step of a flow."""
    return next(step for step in flow.steps if step.slug == slug)
