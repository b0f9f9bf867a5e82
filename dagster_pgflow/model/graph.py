"""The shape of a flow: order, ends and reach, each in time linear in steps and dependencies."""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps import LoopStep, MapStep, Step, SubflowStep


def by_slug(flow: Flow) -> dict[str, Step]:
    """Return the steps by their slugs."""
    return {step.slug: step for step in flow.steps}


def known_deps(flow: Flow) -> dict[str, tuple[str, ...]]:
    """Return each step's dependencies, once each and without those that do not exist."""
    slugs = {step.slug for step in flow.steps}
    return {
        step.slug: tuple(dep for dep in dict.fromkeys(step.depends_on) if dep in slugs)
        for step in flow.steps
    }


def in_order(flow: Flow) -> tuple[Step, ...]:
    """Return the steps so that each stands behind its dependencies.

    Raises:
        graphlib.CycleError: The dependencies form a cycle.
    """
    steps = by_slug(flow)
    return tuple(steps[slug] for slug in deps_first(known_deps(flow)))


def deps_first(deps: Mapping[str, Iterable[str]]) -> list[str]:
    """Return slugs so that each stands behind those that it depends on.

    The order is that of `graphlib.TopologicalSorter`, found in a quarter of its time: the sorter
    makes an object of each slug, and searches for a cycle before there is reason to.

    Args:
        deps: For each slug those that it depends on; one that is only named here stands in the
            order too.

    Raises:
        graphlib.CycleError: The dependencies form a cycle.
    """
    left: dict[str, int] = {}
    followers: dict[str, list[str]] = {}
    for slug, needed in deps.items():
        left.setdefault(slug, 0)
        for dep in needed:
            left.setdefault(dep, 0)
            left[slug] += 1
            followers.setdefault(dep, []).append(slug)
    order = [slug for slug, count in left.items() if not count]
    for slug in order:  # which grows
        for follower in followers.get(slug, ()):
            left[follower] -= 1
            if not left[follower]:
                order.append(follower)
    if len(order) < len(left):
        TopologicalSorter(deps).prepare()  # It raises, and names the cycle.
    return order


def leaves(flow: Flow) -> tuple[Step, ...]:
    """Return the steps that nothing depends on, in the order of the definition."""
    needed = {dep for step in flow.steps for dep in step.depends_on}
    return tuple(step for step in flow.steps if step.slug not in needed)


def dependents(flow: Flow) -> Mapping[str, tuple[Step, ...]]:
    """Return for each step those that depend on it directly."""
    found: dict[str, list[Step]] = {step.slug: [] for step in flow.steps}
    for step in flow.steps:
        for dep in dict.fromkeys(step.depends_on):
            if dep in found:
                found[dep].append(step)
    return {slug: tuple(steps) for slug, steps in found.items()}


def contains_maps(flow: Flow, flows: Mapping[str, Flow]) -> bool:
    """Return whether a flow runs anything once for each element of a list, in it or further inside.

    What a run of its own does for its elements is not done in this one.

    Args:
        flow: The flow.
        flows: Every flow that it contains.
    """
    seen: set[str] = set()
    waiting = [flow]
    while waiting:
        current = waiting.pop()
        seen.add(current.slug)
        if any(isinstance(step, MapStep) for step in current.steps):
            return True
        subflows = [step for step in current.steps if isinstance(step, SubflowStep)]
        if any(step.over is not None for step in subflows):
            return True
        inner = {step.inner_flow for step in current.steps if step.inner_flow}
        waiting += [flows[slug] for slug in inner - seen]
    return False


def find_cycle(edges: Mapping[str, Iterable[str]]) -> tuple[str, ...]:
    """Return one cycle of a directed graph, first node repeated at the end, or nothing.

    Args:
        edges: For each node the nodes that it needs.
    """
    try:
        deps_first(edges)
    except CycleError as error:
        return tuple(error.args[1])
    return ()


def pipeline_head(steps: Mapping[str, Step], step: MapStep) -> MapStep:
    """Return the first map step of the pipeline that a map step stands in: often itself.

    Its batches are those of all map steps of the pipeline.

    Args:
        steps: The steps of a sound flow by slug.
        step: The map step.
    """
    while step.pipelined:
        before = steps[step.depends_on[0]]
        if not isinstance(before, MapStep):
            break
        step = before
    return step


def pipeline_behind(flow: Flow, step: MapStep) -> Iterator[MapStep]:
    """Yield the pipelined map steps that take over the batches of a map step, near ones first."""
    followers = dependents(flow)
    waiting = deque([step.slug])
    while waiting:
        for follower in followers[waiting.popleft()]:
            if isinstance(follower, MapStep) and follower.pipelined:
                yield follower
                waiting.append(follower.slug)


def body_of(steps: Mapping[str, Step], loop: LoopStep) -> tuple[str, ...]:
    """Return what a loop repeats: the steps from its first one to itself, in order.

    Args:
        steps: The steps of a flow by slug, in any order.
        loop: A loop step of it.
    """
    return bodies_of(steps, [loop])[loop.slug]


def bodies_of(
    steps: Mapping[str, Step], loops: Iterable[LoopStep] | None = None
) -> dict[str, tuple[str, ...]]:
    """Return what each loop repeats, by its slug: `body_of` many, but in one go.

    Args:
        steps: The steps of a flow by slug, in any order.
        loops: Some of its loops; all of them when absent.
    """
    if loops is None:
        loops = [step for step in steps.values() if isinstance(step, LoopStep)]
    wanted = tuple(loops)
    if not wanted:
        return {}
    before = {slug: step.depends_on for slug, step in steps.items()}
    place = {slug: index for index, slug in enumerate(steps)}
    depth = _depths(before)
    bodies: dict[str, tuple[str, ...]] = {}
    for loop in wanted:
        # Nothing between them stands above the first step: a loop looks only at what is near.
        top = depth.get(loop.back_to, 0)
        near = {loop.slug: _below(before[loop.slug], depth, top)}
        waiting = list(near[loop.slug])
        while waiting:
            slug = waiting.pop()
            if slug not in near:
                near[slug] = _below(before.get(slug, ()), depth, top)
                waiting += near[slug]
        on_the_way = _led_to(near, loop.back_to)
        bodies[loop.slug] = tuple(sorted(on_the_way & place.keys(), key=place.__getitem__))
    return bodies


def _depths(before: Mapping[str, Iterable[str]]) -> dict[str, int]:
    """Return how far down each step stands; nothing where steps wait for each other."""
    depth: dict[str, int] = {}
    try:
        for slug in deps_first(before):
            depth[slug] = 1 + max((depth[dep] for dep in before.get(slug, ())), default=0)
    except CycleError:
        return {}
    return depth


def _below(slugs: Iterable[str], depth: Mapping[str, int], top: int) -> tuple[str, ...]:
    return tuple(slug for slug in slugs if depth.get(slug, top) >= top)


def _led_to(before: Mapping[str, Iterable[str]], begin: str) -> set[str]:
    """Return what one step leads to, itself included, among steps and what they wait for."""
    after: dict[str, list[str]] = {slug: [] for slug in before}
    for slug, deps in before.items():
        for dep in deps:
            after[dep].append(slug)
    return _followed(after, [begin]) if begin in before else set()


def reach(steps: Mapping[str, Step], begin: Iterable[str]) -> set[str]:
    """Return some steps and all that depend on them, over others too.

    Args:
        steps: The steps of a flow by slug.
        begin: Where to begin.
    """
    after: dict[str, list[str]] = {slug: [] for slug in steps}
    for step in steps.values():
        for dep in step.depends_on:
            after.setdefault(dep, []).append(step.slug)
    return _followed(after, begin)


def _followed(edges: Mapping[str, Iterable[str]], begin: Iterable[str]) -> set[str]:
    """Return what can be reached from some nodes, these included."""
    found: set[str] = set()
    waiting = list(begin)
    while waiting:
        slug = waiting.pop()
        if slug not in found:
            found.add(slug)
            waiting += edges.get(slug, ())
    return found
