"""A search: whatever definitions hold, the code location loads, and the normal flow runs."""

import json
import sys
from contextlib import suppress
from typing import Any

import dagster as dg
import psycopg2
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from dagster_pgflow import Flow, FlowBuilder, build_repository
from dagster_pgflow.store.catalog import Catalog
from tests import hostile_json
from tests.execution.code_servers import served
from tests.execution.test_poisoned_definitions import HANDLERS, add_version
from tests.postgres import Session
from tests.run_worker import pinned_to

JSON = hostile_json.accepted | hostile_json.beyond
WORDS = st.sampled_from(
    ["a", "bad0", "bad1", "good", "run", "config", "__class__", "", "a b", "order", "root", "x__0"]
)
TEXTS = st.sampled_from(hostile_json.TEXTS) | WORDS
CRONS = st.sampled_from(
    [
        *("0 0 31 2 *", "@reboot", "* * * * * *", "0 0 L * *", "H * * * *", "r(1-3) 0 * * *"),
        *("0 0 1W * *", "*/0 * * * *", "60 0 * * *", "0 0 * * mon#9", "1-", "0 0 31 4 *"),
        *("0 0 * * *", "٠ 0 * * *"),
    ]
)
ZONES = st.sampled_from(
    [
        *("UTC", "Mars/Olympus", "", "../etc/passwd", "localtime", "posix/UTC", "Europe"),
        *("EST5EDT", "utc"),
    ]
)
SCHEMAS = (
    JSON.map(lambda value: {"default": value, "examples": [value], "enum": [value]})
    | JSON.map(lambda value: {"properties": {"x": value}, "required": value, "type": value})
    | st.sampled_from(
        [
            {"$ref": "#"},
            {"allOf": [{"$ref": "#"}, {"$ref": "#"}]},
            {"$ref": "file:///etc/passwd"},
            {"pattern": "^(a+)+$", "patternProperties": {"(": {}}},
            {"$defs": {"a": {"default": {"__class__": "SensorTick"}}}, "$ref": "#/$defs/a"},
        ]
    )
)
KINDS = ["single", "map", "subflow", "branch", "join", "loop"]
STEPS = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["single", "map", "subflow", "branch", "join", "loop"]),
        "slug": WORDS,
    },
    optional={
        "depends_on": st.lists(WORDS, max_size=2),
        "handler": TEXTS,
        "description": TEXTS,
        "params": st.dictionaries(TEXTS, JSON, max_size=2),
        "if": st.dictionaries(TEXTS, JSON, max_size=1),
        "if_not": st.dictionaries(TEXTS, JSON, max_size=1),
        "run_if": TEXTS | st.sampled_from(["input.a > 1", "(" * 300, "[" * 50, "input" * 10_000]),
        "flow": WORDS,
        "input": JSON,
        "output": JSON,
        "rules": JSON,
        "input_schema": SCHEMAS,
        "output_schema": SCHEMAS,
        "options": st.dictionaries(TEXTS, JSON, max_size=1),
        "back_to": WORDS,
        "max_iterations": st.integers(-1, 2**63),
        "condition": TEXTS,
    },
)
# What is sound in most of it, so that what is odd in the rest comes as far as Dagster.
SOUND_STEP = st.fixed_dictionaries(
    {"type": st.just("single"), "slug": st.just("a")},
    optional={
        "params": st.dictionaries(TEXTS, JSON, max_size=2),
        "description": TEXTS,
        "if": st.dictionaries(TEXTS, JSON, max_size=1),
    },
)
DEFINITIONS = st.fixed_dictionaries(
    {},
    optional={
        "steps": st.lists(SOUND_STEP, min_size=1, max_size=1) | st.lists(STEPS, max_size=4) | JSON,
        "description": TEXTS | JSON,
        "tags": st.dictionaries(TEXTS, TEXTS, max_size=3) | JSON,
        "input_schema": SCHEMAS,
        "output_schema": SCHEMAS,
        "schedules": st.lists(
            st.fixed_dictionaries(
                {"slug": WORDS, "cron": CRONS}, optional={"timezone": ZONES, "input": JSON}
            ),
            max_size=2,
        )
        | JSON,
        "options": JSON,
        "version": JSON,
    },
)


class Shown(str):
    """A text of which a failing test shows the beginning."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{self[:2000]!s}"


def as_text(definition: dict[str, Any]) -> Shown:
    """Return a definition as text."""
    levels, digits = sys.getrecursionlimit(), sys.get_int_max_str_digits()
    try:
        # Some values lie three thousand levels deep, some have five thousand digits.
        sys.setrecursionlimit(20_000)
        sys.set_int_max_str_digits(0)
        return Shown(json.dumps(definition))
    finally:
        sys.setrecursionlimit(levels)
        sys.set_int_max_str_digits(digits)


@settings(
    max_examples=settings().max_examples // 4,
    # To make a case of this size smaller takes longer than to understand it.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(definitions=st.lists(DEFINITIONS.map(as_text), min_size=4, max_size=4))
def test_hostile_definitions_harm_nothing_but_themselves(
    database_url: str,
    builder: FlowBuilder,
    catalog: Catalog,
    sql: Session,
    definitions: list[str],
) -> None:
    builder.define_flow(Flow("good").step("a").schedule("nightly", "0 2 * * *"))
    slugs = []
    for number, definition in enumerate(definitions):
        slug = f"bad{number}"
        own = f'{definition[:-1]}{", " * (len(definition) > 2)}"slug": "{slug}"}}'
        # What no jsonb can hold comes no further.
        with suppress(psycopg2.DataError):
            add_version(sql, slug, own)
            slugs.append(slug)

    repository = build_repository(database_url=database_url, handlers=[HANDLERS])
    snap = served(repository)

    assert set(slugs) | {"good"} <= {job.name for job in snap.job_refs or ()}
    assert "good__nightly" in [schedule.name for schedule in snap.schedules]
    with pinned_to(catalog.watermark()):
        worker = build_repository(database_url=database_url, handlers=[HANDLERS])
    for served_by in (repository, worker):
        ran = served_by.get_job("good").execute_in_process(run_config={"inputs": {"flow_input": 7}})
        assert ran.output_for_node("a") == 7
    for slug in slugs:
        # It may run or say what is wrong: it is there.
        assert isinstance(worker.get_job(slug), dg.JobDefinition)
