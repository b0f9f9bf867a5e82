"""The pages hang together: links lead somewhere, and what they list is what the code has."""

import inspect
import re
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

import dagster_pgflow
from dagster_pgflow import names
from dagster_pgflow.compiler.compile import PASSES
from dagster_pgflow.embedded.server import _DEFAULT_LINGER_SECONDS
from dagster_pgflow.io_manager import DEFAULT_SPILL_BYTES
from dagster_pgflow.location.settings import LocationSettings
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.fluent_settings import StepSettings
from dagster_pgflow.model.options import (
    DEFAULT_BASE_DELAY,
    DEFAULT_MAX_ATTEMPTS,
    DEFAULT_MAX_DELAY,
    DEFAULT_TIMEOUT,
    FlowOptions,
    Jitter,
    StepOptions,
    retry_policy_of,
)
from dagster_pgflow.model.run_state import (
    AttemptStatus,
    RunStatus,
    SkipReason,
    StepStatus,
    TaskStatus,
)
from dagster_pgflow.model.steps import KINDS
from dagster_pgflow.model.steps.fields import WhenExhausted, WhenUnmet
from dagster_pgflow.projection.sync.sensor import BUDGET_S
from dagster_pgflow.reports.inlined import INLINE_BYTES
from dagster_pgflow.runtime.backoff import delay_before
from dagster_pgflow.runtime.context import StepContext
from dagster_pgflow.runtime.mapping import OPS_OF_A_LARGE_MAP, OPS_SHOWN_ONE_BY_ONE
from dagster_pgflow.store.flows import FlowBuilder
from tests.docs.pages import PAGES, ROOT, name_of, prose_of
from tests.postgres import Session

DOCS = ROOT / "docs"
IMAGES = sorted((DOCS / "images").iterdir())
LARGEST_IMAGE = 150 * 1024
EFFORT = retry_policy_of(FlowOptions(), StepOptions())
LINK = re.compile(r"\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
WHAT_USERS_CALL = (
    "add_step",
    "create_flow",
    "create_trigger",
    "delete_flow",
    "flow_definition",
    "is_valid_slug",
    "start_flow",
)


def page(name: str) -> str:
    return (DOCS / name).read_text()


def anchors_of(path: Path) -> set[str]:
    """Returns what GitHub makes of the headings of a page."""
    headings = HEADING.findall(prose_of(path))
    return {re.sub(r"[^\w -]", "", h.lower()).replace(" ", "-") for h in headings}


def links_of(path: Path) -> list[str]:
    return [link for link in LINK.findall(prose_of(path)) if "://" not in link]


@pytest.mark.parametrize("path", PAGES, ids=name_of)
def test_every_link_of_a_page_leads_somewhere(path: Path) -> None:
    lost = []
    for link in links_of(path):
        target, _, anchor = link.partition("#")
        found = (path.parent / target).resolve() if target else path
        if not found.exists() or (anchor and anchor not in anchors_of(found)):
            lost.append(link)
    assert lost == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    waiting = [ROOT / "README.md"]
    while waiting:
        here = waiting.pop()
        reached.add(here)
        for link in links_of(here):
            target = (here.parent / link.partition("#")[0]).resolve()
            target = target / "README.md" if target.is_dir() else target
            if target.suffix == ".md" and target.exists() and target not in reached:
                waiting.append(target)
    assert set(PAGES) <= reached


def test_every_picture_is_used_and_has_words_for_those_who_cannot_see_it() -> None:
    shown = [
        (path.parent / target).resolve()
        for path in PAGES
        for _words, target in re.findall(r"!\[([^\]]{10,})\]\(([^)]+)\)", path.read_text())
    ]
    assert set(IMAGES) == set(shown)


@pytest.mark.parametrize("image", IMAGES, ids=lambda path: path.name)
def test_a_picture_is_small(image: Path) -> None:
    assert image.suffix == ".png"
    assert image.stat().st_size <= LARGEST_IMAGE


def test_a_page_is_not_wider_than_an_editor() -> None:
    wide = [
        f"{name_of(path)}: {line}"
        for path in PAGES
        for line in path.read_text().splitlines()
        if len(line) > 100 and not line.startswith("|")
    ]
    assert wide == []


def test_the_python_page_lists_every_public_name() -> None:
    told = page("python.md") + page("handlers.md")
    assert [name for name in dagster_pgflow.__all__ if name not in told] == ["__version__"]


def test_the_python_page_lists_every_setting_of_a_code_location() -> None:
    settings = page("python.md").partition("| setting | is |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", settings, re.MULTILINE) == [*LocationSettings.__annotations__]


def test_the_python_page_lists_every_method_of_the_builder() -> None:
    table = page("python.md").partition("| `FlowBuilder` | does |")[2].partition("\n\n")[0]
    methods = {name for name, _ in inspect.getmembers(FlowBuilder) if not name.startswith("_")}
    assert set(re.findall(r"^\| `(\w+)\(", table, re.MULTILINE)) == methods


def test_the_python_page_names_every_setting_of_a_step() -> None:
    told = page("python.md")
    assert [name for name in StepSettings.__annotations__ if f"`{name}`" not in told] == []
    own = {"self", *StepSettings.__annotations__, "settings", "schedule"}
    kinds = [getattr(Flow, kind.builder) for kind in KINDS.values()]
    for method in (*kinds, Flow.schedule):
        for name in inspect.signature(method).parameters:
            assert name in own or re.search(rf"\b{name}\b", told)


def test_the_handler_page_lists_the_whole_context() -> None:
    table = page("handlers.md").partition("| `ctx.` | is |")[2].partition("\n\n")[0]
    listed = re.findall(r"`(\w+)`(?=[^|]*\|[^|]*\|$)", table, re.MULTILINE)
    assert set(listed) == set(StepContext.__annotations__)


@pytest.mark.parametrize(
    ("words", "name"),
    [
        (RunStatus, "sql.md"),
        (StepStatus, "sql.md"),
        (TaskStatus, "sql.md"),
        (AttemptStatus, "sql.md"),
        (SkipReason, "sql.md"),
        (WhenUnmet, "flows.md"),
        (WhenExhausted, "flows.md"),
        (Jitter, "flows.md"),
        (Jitter, "sql.md"),
    ],
)
def test_every_word_of_a_closed_set_is_explained(words: Any, name: str) -> None:
    assert [word for word in get_args(words) if f"`{word}`" not in page(name)] == []


def test_the_sql_page_has_every_table_and_view(sql: Session) -> None:
    relations = sql.column(
        "select relname from pg_class"
        " where relnamespace = 'pgflow'::regnamespace and relkind in ('r', 'v')"
    )
    told = page("sql.md")
    assert [name for name in relations if not re.search(rf"`(?:pgflow\.)?{name}`", told)] == []


@pytest.mark.parametrize("table", ["flows", "steps", "deps", "schedules", "flow_versions"])
def test_the_sql_page_has_every_column_of_a_definition_table(sql: Session, table: str) -> None:
    [row] = re.findall(rf"^\| `{table}` \|.*\| (.*) \|$", page("sql.md"), re.MULTILINE)
    assert re.findall(r"`(\w+)`", row) == columns_of(sql, table)


@pytest.mark.parametrize(
    "table", ["runs", "subruns", "step_states", "step_tasks", "node_executions", "event_log"]
)
def test_the_sql_page_has_every_column_of_a_run_table(sql: Session, table: str) -> None:
    section = page("sql.md").partition(f"### `{table}`")[2].partition("\n#")[0]
    told = re.findall(r"`(\w+)`", "".join(re.findall(r"^\|(.*?)\|", section, re.MULTILINE)))
    assert set(told) == set(columns_of(sql, table))


@pytest.mark.parametrize(
    "table",
    [
        "applied_keys",
        "run_counter_snapshots",
        "pending_tokens",
        "loop_state",
        "run_statistics",
        "worker_registry",
    ],
)
def test_the_execution_page_has_every_column_of_its_tables(sql: Session, table: str) -> None:
    section = page("execution.md").partition(f"### `{table}`")[2].partition("\n#")[0]
    rows = re.findall(r"^\|(.*?)\|.*\|$", section, re.MULTILINE)
    assert set(re.findall(r"`(\w+)`", "".join(rows))) == set(columns_of(sql, table))


@pytest.mark.parametrize("view", ["v_active_runs", "v_failed_executions"])
def test_the_execution_page_has_every_column_of_its_views(sql: Session, view: str) -> None:
    section = page("execution.md").partition("## Views")[2].partition(f"`{view}` has")[2]
    told = re.findall(r"`(\w+)`", section.partition("\n\n")[0])
    assert told == columns_of(sql, view)


@pytest.mark.parametrize("function", ["run_path", "get_run_counter", "is_run_complete"])
def test_the_execution_page_names_the_functions_and_what_they_return(
    sql: Session, function: str
) -> None:
    [names] = sql.column(
        "select proargnames from pg_proc where pronamespace = 'pgflow'::regnamespace"
        " and proname = %s",
        function,
    )
    told = page("execution.md")
    assert f"`{function}({names[0]} uuid)` " in told
    assert [name for name in names if f"`{name}`" not in told and name != names[0]] == []


@pytest.mark.parametrize("function", WHAT_USERS_CALL)
def test_the_sql_page_names_the_parameters_of_a_function_in_their_order(
    sql: Session, function: str
) -> None:
    section = page("sql.md").partition(f"### `pgflow.{function}`")[2].partition("\n### ")[0]
    section = section.partition("\n## ")[0]
    listed = re.findall(r"^\| `(\w+)` \|", section, re.MULTILINE)
    if not listed:
        [signature] = re.findall(rf"`{function}\((.*?)\)`", section)
        listed = re.findall(r"(\w+) (?:text|boolean)\b", signature)
    [wanted] = sql.column(
        "select proargnames from pg_proc where pronamespace = 'pgflow'::regnamespace"
        " and proname = %s and proargnames[1] not like 'p\\_%%'",
        function,
    )
    assert listed == wanted


def test_the_sql_page_names_every_parameter_of_the_other_call_style(sql: Session) -> None:
    told = page("sql.md")
    used = sql.column(
        "select distinct unnest(proargnames) from pg_proc"
        " where pronamespace = 'pgflow'::regnamespace and proargnames[1] = 'p_workflow_slug'"
    )
    assert [name for name in used if name.startswith("p_") and name not in told] == []


@pytest.mark.parametrize(
    ("name", "told", "is_so"),
    [
        ("flows.md", "Up to 100 elements get an op each", OPS_SHOWN_ONE_BY_ONE == 100),
        ("flows.md", "spread over 20 ops", OPS_OF_A_LARGE_MAP == 20),
        ("flows.md", "| `max_attempts` | 3 |", DEFAULT_MAX_ATTEMPTS == 3),
        ("flows.md", "| `base_delay` | 5 |", DEFAULT_BASE_DELAY == 5),
        ("flows.md", "| `timeout` | 60 |", DEFAULT_TIMEOUT == 60),
        ("flows.md", "| `max_delay` | 3600 |", DEFAULT_MAX_DELAY == 3600),
        ("flows.md", "| `jitter` | `none` |", EFFORT.jitter == "none"),
        ("flows.md", "ten seconds after the first failure", delay_before(2, EFFORT) == 10),
        ("flows.md", "twenty\nseconds after the second", delay_before(3, EFFORT) == 20),
        ("deployment.md", "above 1 MiB", DEFAULT_SPILL_BYTES == 1024 * 1024),
        ("deployment.md", "above 4 KiB", INLINE_BYTES == 4096),
        ("deployment.md", "stops by itself** half a minute", _DEFAULT_LINGER_SECONDS == 30),
        ("architecture.md", "within 40 of the 60 seconds", BUDGET_S == 40),
    ],
)
def test_a_number_on_a_page_is_that_of_the_code(name: str, told: str, *, is_so: bool) -> None:
    assert told in page(name)
    assert is_so


def test_the_delays_on_the_page_are_those_that_steps_wait() -> None:
    table = page("flows.md").partition("| `base_delay` | `max_delay` |")[2].partition("\n\n")[0]
    head, _, *rows = [re.findall(r"\d+", line) for line in table.splitlines()]
    assert len(rows) > 3
    for base_delay, max_delay, *waits in rows:
        retry_policy = replace(EFFORT, base_delay=int(base_delay), max_delay=int(max_delay))
        told = dict(zip(map(int, head), map(float, waits), strict=True))
        assert {after: delay_before(after + 1, retry_policy) for after in told} == told


@pytest.mark.parametrize("max_delay", [3600, 60])
def test_the_jitter_on_the_page_is_that_of_the_code(max_delay: int) -> None:
    table = page("flows.md").partition("| `jitter` | the wait is |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `([a-z-]+)` \|[^|]*\|([^|]*)\|([^|]*)\|$", table, re.MULTILINE)
    assert [word for word, *_ in rows] == list(get_args(Jitter))
    for word, uncapped, capped in rows:
        retry_policy = replace(EFFORT, base_delay=20, max_delay=max_delay, jitter=word)
        least, most = (
            delay_before(2, retry_policy, lambda: 0.0),
            delay_before(2, retry_policy, lambda: 1.0),
        )
        told = re.findall(r"\d+", capped if max_delay == 60 else uncapped)
        assert [float(number) for number in told] == sorted({least, most})


def test_the_architecture_page_has_every_pass_in_its_order() -> None:
    table = page("architecture.md").partition("| pass | does |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `(\w+)`", table, re.MULTILINE) == [one.__name__ for one in PASSES]


def test_the_architecture_page_has_every_tag_and_every_package() -> None:
    told = page("architecture.md")
    keys = {value for name, value in vars(names).items() if name.startswith("TAG_")}
    assert {key for key in keys | {names.REPORT_KEY} if f"`{key}`" not in told} == set()
    packages = {
        path.stem
        for path in (ROOT / "dagster_pgflow").iterdir()
        if path.suffix in ("", ".py") and not path.name.startswith(("_", "."))
    }
    unexplained = {"compat", "version"}
    assert {name for name in packages - unexplained if f"`{name}`" not in told} == set()


def test_decisions_are_numbered_and_have_their_four_parts() -> None:
    pages = sorted((DOCS / "decisions").glob("0*.md"))
    for number, path in enumerate(pages, 1):
        assert path.name.startswith(f"{number:04}-")
        text = path.read_text()
        assert text.startswith(f"# {number}. ")
        assert re.findall(
            r"^(?:## )?(Status|Context|Decision|Consequences)", text, re.MULTILINE
        ) == [
            "Status",
            "Context",
            "Decision",
            "Consequences",
        ]


def columns_of(sql: Session, table: str) -> list[str]:
    return sql.column(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0"
        " and not attisdropped order by attnum",
        f"pgflow.{table}",
    )
