"""Which way a run takes behind a branch, a loop, or a subflow with a failure step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.step import BranchStep, JoinStep, LoopStep, Step, SubflowStep
from tests.reference.conditions import Asked, says
from tests.reference.endings import SkipReason, StepEnd
from tests.reference.loops import behind


@dataclass(frozen=True)
class OtherWay:
    """Why a step is skipped that the run does not come by.

    Attributes:
        behind: The steps behind which the run takes another way.
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
    way = other_way(flow, step, deps)
    return None if way is None else StepEnd("skipped", None, way.reason, untaken=way.behind)


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
    """Say whether the run takes another way than to a step.

    It does when a dependency is missed, unless one that is not missed lies on another way behind
    the same step, and neither of the two lies on that of the other.

    Args:
        flow: The flow.
        step: One of its steps.
        deps: How the dependencies ended.
    """
    missed = dict(missed_by(flow, step, deps))
    came = deps.keys() - missed.keys()
    lost = [
        way
        for slug, way in missed.items()
        if step.slug == failure_step_of(flow, slug)
        or not any(
            exclude_each_other(flow, step, deciding, slug, other)
            for deciding in way.behind
            for other in came
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

    The failure step waits for the failure of its subflow, other direct dependents of the subflow
    for anything else. The steps that a branch or a loop names wait until it decides for them;
    where it is skipped, it decides for none.
    """
    for slug, dep in deps.items():
        own = frozenset({slug})
        if failure_step_of(flow, slug) == step.slug:
            if not dep.routed:
                yield slug, behind_another(dep) if dep.untaken else OtherWay(own, "not_taken")
        elif dep.routed:
            yield slug, OtherWay(own, "not_taken")
        elif dep.untaken:
            yield slug, behind_another(dep)
        elif step.slug in begins_of(flow, slug) and deciding(flow, slug):
            if dep.status == "skipped":
                yield slug, OtherWay(own, "dependency_skipped")
            elif step.slug not in dep.taken:
                yield slug, OtherWay(own, "not_taken")


def behind_another(dep: StepEnd) -> OtherWay:
    """Return why the run does not come by what lies behind a step that it does not come by."""
    assert dep.skip_reason is not None
    return OtherWay(dep.untaken, dep.skip_reason)


def exclude_each_other(flow: Flow, step: Step, forked: str, missed: str, came: str) -> bool:
    """Say whether two dependencies of a step lie on ways behind another one of which each is alone.

    A way leads from the step that forks straight to this one where it is one of its beginnings.
    """

    def lies_on(dep: str, way: str) -> bool:
        if dep == forked:
            return way == step.slug
        return dep in behind(flow, {way})

    ways = begins_of(flow, forked)
    return any(
        lies_on(missed, one)
        and not lies_on(came, one)
        and lies_on(came, other)
        and not lies_on(missed, other)
        for one in ways
        for other in ways
    )


def begins_of(flow: Flow, slug: str) -> set[str]:
    """Return the steps that the ways behind a step begin with."""
    match step_of(flow, slug):
        case BranchStep() as step:
            return {target for rule in step.rules for target in rule.then} | set(step.default_path)
        case LoopStep() as step:
            # Where both paths lead, the run comes by anyway.
            return set(step.break_path) ^ set(step.timeout_path)
        case SubflowStep() as step if step.on_failure is not None:
            return {other.slug for other in flow.steps if slug in other.depends_on}
        case _:
            return set()


def deciding(flow: Flow, slug: str) -> bool:
    """Say whether a step is one that decides which of the steps behind it run."""
    return isinstance(step_of(flow, slug), BranchStep | LoopStep)


def too_few(flow: Flow, step: JoinStep, deps: Mapping[str, StepEnd]) -> StepEnd | None:
    """Return how a join ends that waits for some of its dependencies, when too few completed."""
    least = {"any": 1}.get(step.wait) if isinstance(step.wait, str) else step.wait
    missed = dict(missed_by(flow, step, deps))
    came = [slug for slug in deps.keys() - missed.keys() if deps[slug].status == "completed"]
    if least is None or len(came) >= least:
        return None
    untaken = frozenset(slug for way in missed.values() for slug in way.behind)
    cascades = any(dep.cascades for dep in deps.values())
    reasons = {way.reason for way in missed.values()}
    none_taken = missed.keys() == deps.keys() and reasons == {"not_taken"}
    reason: SkipReason = "not_taken" if none_taken else "dependency_skipped"
    return StepEnd("skipped", skip_reason=reason, cascades=cascades, untaken=untaken)


def failure_step_of(flow: Flow, slug: str) -> str | None:
    """Return the failure step of a step, if it has one."""
    step = step_of(flow, slug)
    return step.on_failure if isinstance(step, SubflowStep) else None


def step_of(flow: Flow, slug: str) -> Step:
    """Return a step of a flow."""
    return next(step for step in flow.steps if step.slug == slug)
