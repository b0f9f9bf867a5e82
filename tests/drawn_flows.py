"""Sound flows that hypothesis draws, with all that a definition may hold."""

from collections.abc import Mapping
from typing import Any

from hypothesis import strategies as st

from dagster_pgflow.model.flow import Flow, Schedule
from dagster_pgflow.model.graph import dependents
from dagster_pgflow.model.options import FlowOptions, StepOptions
from dagster_pgflow.model.steps import (
    ApprovalStep,
    BranchStep,
    JoinStep,
    LoopStep,
    MapStep,
    SingleStep,
    SleepStep,
    Step,
    SubflowStep,
    WaitStep,
)
from dagster_pgflow.model.steps.branch import Rule
from dagster_pgflow.model.steps.data_map import keeps_input
from dagster_pgflow.model.webhook import EVENTS, Webhook
from dagster_pgflow.validation.validate import validate

TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | TEXTS
    | st.sampled_from([0.5, -1.25]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXTS, inner, max_size=2),
    max_leaves=5,
)
AWKWARD_TEXTS = (
    TEXTS
    | st.text(
        st.sampled_from("\n\r\t \x85\u2028\ufeff:#-'\"|>%&*!?@`,[]{}~aé🙂\\\x7f\x1b"), max_size=12
    )
    | st.sampled_from(
        ["", "yes", "No", "null", "~", "1e3", "0x1F", "1_000", "12:30", "<<", "=", "---"]
    )
    | st.text(st.sampled_from("ab \n"), min_size=90, max_size=140)
)


def _is_short(text: str) -> bool:
    return len(text) <= 127


def _can_be_a_tag(key: str) -> bool:
    return _is_short(key) and _gives_no_orders(key)


def _gives_no_orders(tag: str) -> bool:
    """Return whether a flow may have a tag in any code location."""
    return "/" not in tag


AWKWARD_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | AWKWARD_TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(AWKWARD_TEXTS, inner, max_size=3),
    max_leaves=6,
)
COUNTS = st.none() | st.integers(0, 9)
TIMEOUTS: st.SearchStrategy[dict[str, int]] = st.just({}) | st.one_of(
    st.integers(1, 9).map(lambda seconds: {"timeout": seconds}),
    st.integers(1, 9).map(lambda tenths: {"timeout_ms": 100 * tenths}),
)
WEBHOOKS = st.builds(
    Webhook,
    url=st.sampled_from(["https://example.org/hook?a=$x", "http://[::1]:8080"]),
    secret=st.sampled_from(["mine", "_1"]),
    events=st.lists(st.sampled_from(EVENTS), min_size=1, max_size=4).map(tuple),
    allow_private=st.booleans(),
)
JITTERS = st.sampled_from([None, "none", "full", "plus-minus"])
SLUGS = [f"step_{letter}" for letter in "abcdef"]


Texts = st.SearchStrategy[str]
Values = st.SearchStrategy[Any]
Objects = st.SearchStrategy[dict[str, Any]]


CONDITIONS = ("if_", "if_not", "run_if", "run_unless")
DECISIONS = ["output.n > 'é'", "has(deps.a)", "ctx.iteration < 2", "true"]
KINDS = ["single", "map", "subflow", "branch", "join", "loop"]
WAITING_KINDS = ["approval", "wait", "sleep"]


@st.composite
def steps(draw: st.DrawFn, slug: str, earlier: list[Step], objects: Objects, texts: Texts) -> Step:
    common: dict[str, Any] = {
        "slug": slug,
        "description": draw(texts),
        "options": StepOptions(
            max_attempts=draw(COUNTS),
            base_delay=draw(COUNTS),
            **draw(TIMEOUTS),
            start_delay=draw(COUNTS),
            max_delay=draw(COUNTS),
            jitter=draw(JITTERS),
        ),
        "if_": draw(st.none() | objects),
        "if_not": draw(st.none() | objects),
        "run_if": draw(st.sampled_from([None, "true", "input.n > 'é'"])),
        "run_unless": draw(st.sampled_from([None, "has(deps.a)"])),
        "when_unmet": draw(st.sampled_from(["fail", "skip", "skip-cascade"])),
        "when_exhausted": draw(st.sampled_from(["fail", "skip", "skip-cascade"])),
    }
    handled: dict[str, Any] = {
        "handler": draw(st.none() | st.just("shop.price")),
        "params": draw(objects),
        "input_schema": draw(st.none() | objects),
        "output_schema": draw(st.none() | objects),
        "pool": draw(st.sampled_from([None, "mail"])),
        "circuit_breaker": draw(st.sampled_from([None, {}, {"window": 5, "key": "é"}])),
        "bulkhead": draw(st.sampled_from([None, {"max_concurrent": 1}])),
        "rate_limiter": draw(st.sampled_from([None, {"calls": 2, "per_ms": 60_000}])),
    }
    merging = {"merge_input": draw(st.booleans())}
    keeping = merging | {"keep_input": draw(st.booleans())}
    handled |= _hooked(draw, handled)
    slugs = [step.slug for step in earlier]
    depends_on = st.lists(st.sampled_from(slugs), unique=True) if slugs else st.just([])
    match draw(st.sampled_from([*KINDS, *WAITING_KINDS])):
        case ("approval" | "wait" | "sleep") as kind:
            deps = tuple(draw(depends_on))
            return draw(waiting_steps(kind, common | keeping | {"depends_on": deps}, objects))
        case ("branch" | "loop") as kind:
            fields = common | handled | keeping | {"depends_on": tuple(draw(depends_on))}
            return draw(deciding_steps(kind, fields, slugs))
        case "join" if len(slugs) > 1:
            joined = draw(st.lists(st.sampled_from(slugs), unique=True, min_size=2))
            wait = draw(st.sampled_from(["all", "any", 1, len(joined)]))
            return JoinStep(**common, **merging, depends_on=tuple(joined), wait=wait)
        case "single" | "join":
            return SingleStep(**common, **handled, **keeping, depends_on=tuple(draw(depends_on)))
        case "map":
            own = {
                "depends_on": tuple(draw(depends_on)[:1]),
                "batch_size": draw(st.none() | st.integers(1, 9)),
                "collect_errors": draw(st.booleans()),
                "max_failures": draw(st.none() | st.integers(0, 2**31 - 1)),
                "max_failures_percent": draw(st.none() | st.integers(0, 100)),
            }
            step = MapStep(**common | handled | own)
            return _pipelined(step) if _can_be_joined(earlier, step) else step
        case _:
            deps = tuple(draw(depends_on))
            mapped = draw(mappings(earlier, deps))
            own = mapped if mapped["over"] else mapped | keeping
            return SubflowStep(**common, **own, depends_on=deps, flow="child")


@st.composite
def deciding_steps(draw: st.DrawFn, kind: str, fields: dict[str, Any], slugs: list[str]) -> Step:
    """Draw a branch or a loop, which leads nowhere yet."""
    if kind == "branch":
        return BranchStep(**fields, rules=())
    return LoopStep(
        **fields | dict.fromkeys(CONDITIONS) | {"when_exhausted": "fail"},
        back_to=draw(st.sampled_from([*slugs, fields["slug"]])),
        condition=draw(st.sampled_from(DECISIONS)),
        max_iterations=draw(st.integers(1, 9)),
    )


@st.composite
def waiting_steps(draw: st.DrawFn, kind: str, common: dict[str, Any], objects: Objects) -> Step:
    """Draw a step that waits."""
    if kind == "sleep":
        ends: list[dict[str, Any]] = [
            {"seconds": 1},
            {"seconds": 2**31 - 1},
            {"until": "string(input.due)"},
        ]
        return SleepStep(**common, **draw(st.sampled_from(ends)))
    deadline = draw(st.none() | st.integers(10, 20))
    on_deadline = "fail" if deadline is None else draw(st.sampled_from(["skip", "continue"]))
    answers: Values = st.sampled_from([None, 0, False, "", [], {"a": None}])
    own: dict[str, Any] = {
        "deadline": deadline,
        "on_deadline": on_deadline,
        "default_answer": draw(answers) if on_deadline == "continue" else None,
        "key": draw(st.sampled_from([None, "flow_input.a", "input", "ctx.run_id"])),
        "answer_schema": draw(st.none() | objects.map(lambda shown: {"examples": [shown]})),
        "reminders": draw(st.lists(st.integers(1, 9), max_size=2).map(tuple)),
    }
    if kind == "wait":
        return WaitStep(**common, **own, signal=draw(st.sampled_from(["paid", "é x", "s" * 200])))
    named = [f"{text}$nodes.{dep}" for dep in common["depends_on"] for text in ("", "$")]
    named += [f"a ${{$nodes.{dep}}}" for dep in common["depends_on"]]
    prompts = st.sampled_from(["Sure?", "$input", "${$input.n} $$ é\n", "$node", *named])
    whom = draw(st.lists(st.sampled_from(["boss", "é"]), max_size=2))
    return ApprovalStep(**common, **own, prompt=draw(prompts), answerers=tuple(whom))


@st.composite
def mappings(draw: st.DrawFn, earlier: list[Step], deps: tuple[str, ...]) -> dict[str, Any]:
    """Draw what a subflow step gives its flow and returns; its final step is `one`."""
    open_to_all = [one.slug for one in earlier if isinstance(one, SingleStep) and one.slug in deps]
    named = [f"$nodes.{dep}" for dep in deps] + [f"$nodes.{dep}.x[0]" for dep in open_to_all]
    lists = [one.slug for one in earlier if one.slug in open_to_all and not keeps_input(one)]
    over = draw(st.none() | st.sampled_from(["$input.rows", *lists]))
    items = [] if over is None else ["$item", "${$item.n}"]
    parts = st.sampled_from(["$input", "$$x", "a ${$input.n}", None, 1.5, *named, *items])
    fields = st.dictionaries(TEXTS, parts | st.lists(parts, max_size=2), max_size=2)
    outputs = st.sampled_from(["$nodes.one", {}, {"x": ["$nodes.one.a", None], "y": {"z": 1}}])
    return {"over": over, "input": draw(st.none() | fields), "output": draw(st.none() | outputs)}


def _hooked(draw: st.DrawFn, handled: Mapping[str, Any]) -> dict[str, Any]:
    """Draw what happens around a handler; schemas that are none may hold nothing."""
    names = st.lists(st.sampled_from(["audit", "shop.sign"]), max_size=2).map(tuple)
    hooks = names if handled["handler"] else st.just(())
    has_schemas = handled["input_schema"] is not None or handled["output_schema"] is not None
    return {
        "before": draw(hooks),
        "after": draw(hooks),
        "requires": draw(st.sampled_from([(), ("db",), ("db", "s3")])),
        **_assets(draw),
        "check_schemas": "off" if has_schemas else draw(st.sampled_from(["off", "warn", "strict"])),
        "coerce": not has_schemas and draw(st.booleans()),
    }


def _assets(draw: st.DrawFn) -> dict[str, Any]:
    """Draw what a step says of assets, as a map step may say it too."""
    keys = st.lists(
        st.sampled_from(["raw/orders", "é/${$input.n}", "$input.key", "$$x"]), max_size=2
    )
    partition = draw(st.sampled_from([None, "${$input.day} ", "p"]))
    return {"consumes": tuple(draw(keys)), "partition": partition}


def _can_be_joined(earlier: list[Step], step: MapStep) -> bool:
    sources = [one for one in earlier if one.slug in step.depends_on]
    return any(
        isinstance(source, MapStep)
        and not source.bounds_failures
        and (source.collect_errors or source.when_exhausted == "fail")
        for source in sources
    )


def _pipelined(step: MapStep) -> MapStep:
    without = dict.fromkeys([*CONDITIONS, "batch_size"])
    return step.model_copy(update={"pipelined": True, **without})


@st.composite
def led(draw: st.DrawFn, drawn: list[Step]) -> tuple[Step, ...]:
    """Draw where branches and loops lead; what can lead nowhere, or not back, is a single step."""
    flow = Flow("f").model_copy(update={"steps": tuple(drawn)})
    behind = {slug: [step.slug for step in steps] for slug, steps in dependents(flow).items()}
    whole: list[Step] = []
    for step in drawn:
        ends = st.sampled_from(behind[step.slug] or ["none"])
        path = st.lists(ends, unique=True)
        match step:
            case BranchStep() if behind[step.slug]:
                asked = draw(st.lists(st.sampled_from(DECISIONS), unique=True, min_size=1))
                some = st.lists(ends, unique=True, min_size=1)
                labels = st.none() | st.sampled_from(["yes", "a-b", "é"]).map(str)
                rules = tuple(
                    Rule(
                        when=when,
                        then=tuple(draw(some)),
                        label=(said := draw(labels)) and f"{said}{index}",
                    )
                    for index, when in enumerate(asked)
                )
                routes: dict[str, Any] = {"rules": rules, "default_path": tuple(draw(path))}
                whole.append(step.model_copy(update=routes))
            case LoopStep() if behind[step.slug]:
                routes = {name: tuple(draw(path)) for name in ("break_path", "timeout_path")}
                whole.append(step.model_copy(update=routes))
            case BranchStep():
                whole.append(_without_ways(step))
            case _:
                whole.append(step)
    while wrong := _wrong_loops(whole):
        whole = [_without_ways(step) if step.slug in wrong else step for step in whole]
    return tuple(_asks_for_what_is_there(whole))


def _asks_for_what_is_there(steps: list[Step]) -> list[Step]:
    """Return steps without conditions on fields that nothing before them has."""
    flow = Flow("f").model_copy(update={"steps": tuple(steps)})
    wrong = {problem.path for problem in validate(flow) if problem.code == "unknown-field"}
    return [
        step.model_copy(update={"run_if": None}) if f"steps.{step.slug}.run_if" in wrong else step
        for step in steps
    ]


def _wrong_loops(steps: list[Step]) -> list[str]:
    """Return one of the loops, if any of them cannot be one."""
    flow = Flow("f").model_copy(update={"steps": tuple(steps)})
    loops = [step.slug for step in steps if isinstance(step, LoopStep)]
    return loops[:1] if any("loop" in problem.code for problem in validate(flow)) else []


def _without_ways(step: Step) -> SingleStep:
    fields = {name: getattr(step, name) for name in SingleStep.model_fields if name != "type"}
    return SingleStep(**fields)


@st.composite
def flows(draw: st.DrawFn, texts: Texts = TEXTS, values: Values = JSON) -> Flow:
    """Draw a sound flow called `f`; its subflows are all `child`."""
    objects = st.dictionaries(texts, values, max_size=3)
    schemas = st.none() | objects.map(lambda shown: {"examples": [shown]})
    key = draw(st.sampled_from([None, "input.a", "size(input)"]))
    drawn: list[Step] = []
    for slug in SLUGS[: draw(st.integers(0, len(SLUGS)))]:
        drawn.append(draw(steps(slug, drawn, objects, texts)))
    return Flow(
        slug="f",
        description=draw(texts),
        input_schema=draw(schemas),
        output_schema=draw(schemas),
        merge_output=draw(st.booleans()),
        options=FlowOptions(
            max_attempts=draw(st.none() | st.integers(0, 2)),
            base_delay=draw(st.none() | st.integers(6, 9)),
            **draw(TIMEOUTS),
            max_delay=draw(COUNTS),
            jitter=draw(st.sampled_from([None, "full", "plus-minus"])),
            max_concurrent_runs=draw(st.none() | st.integers(1, 9)),
            concurrency_key=key,
            max_concurrent_runs_per_key=draw(st.none() if key is None else st.integers(1, 9)),
            on_event=draw(st.none() | WEBHOOKS),
            max_recoveries=draw(st.none() | st.sampled_from([0, 1, 9])),
        ),
        tags=draw(
            st.dictionaries(texts.filter(_can_be_a_tag), texts.filter(_is_short), max_size=2)
        ),
        steps=draw(led(drawn)),
        schedules=tuple(
            Schedule(
                slug=slug,
                cron="0 2 * * *",
                timezone=draw(st.sampled_from(["UTC", "Europe/Berlin"])),
                input=draw(values),
                enabled=draw(st.booleans()),
            )
            for slug in draw(st.sampled_from([[], ["A", "a"], ["z"]]))
        ),
    )
