"""Loading files: all problems, or all of it, or nothing."""

from pathlib import Path

from dagster_pgflow.examples import FOLDER
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.database import Database
from dagster_pgflow.store.loading import FlowChange, FlowSource, Loading, load
from tests.postgres import Session

TWO_STEPS = """
-- A flow; this semicolon is not one.
select pgflow.create_flow('by_sql');
select pgflow.add_step('by_sql', 'one');
select pgflow.add_step('by_sql', 'two', array['one']);
"""


def script(sql: str, name: str = "flow.sql") -> FlowSource:
    return FlowSource(name, sql=sql)


def places(loading: Loading) -> list[tuple[str, str]]:
    return [(found.problem.code, found.problem.path) for found in loading.problems]


def slugs(sql: Session) -> list[str]:
    return sql.column("select flow_slug from pgflow.flows order by 1")


def test_files_of_every_kind_are_loaded_as_one_change(database: Database, sql: Session) -> None:
    flow = Flow("outer").subflow("inner", "by_sql")
    loading = load(database, [script(TWO_STEPS), FlowSource("outer.json", flows=(flow,))])
    assert list(loading.changes.values()) == [
        FlowChange("flow.sql", "by_sql", 1, is_new=True),
        FlowChange("outer.json", "outer", 1, is_new=True),
    ]
    assert slugs(sql) == ["by_sql", "outer"]


def test_loading_again_changes_nothing_and_says_so(database: Database) -> None:
    sources = [FlowSource("a.json", flows=(Flow("a").step("s"),)), script(TWO_STEPS)]
    load(database, sources)
    assert list(load(database, sources).changes.values()) == [FlowChange("a.json", "a", 1)]


def test_a_problem_in_one_file_keeps_all_out(database: Database, sql: Session) -> None:
    bad = Flow("bad").step("s", depends_on="none")
    loading = load(database, [script(TWO_STEPS), FlowSource("bad.json", flows=(bad,))])
    assert places(loading) == [("unknown-dependency", "steps.s.depends_on")]
    assert slugs(sql) == []


def test_an_expression_that_is_none_keeps_a_file_of_sql_out(
    database: Database, sql: Session
) -> None:
    bad = "select pgflow.add_step('by_sql', 'three', run_unless => 'input.n >');"
    loading = load(database, [script(TWO_STEPS + bad)])
    assert places(loading) == [("invalid-expression", "by_sql.steps.three.run_unless")]
    assert slugs(sql) == []


def test_what_is_only_tried_leaves_nothing_behind(database: Database, sql: Session) -> None:
    loading = load(database, [script(TWO_STEPS)], keep=False)
    assert loading.problems == []
    assert [change.slug for change in loading.changes.values()] == ["by_sql"]
    assert slugs(sql) == []
    assert sql.value("select count(*) from pgflow.flow_versions") == 0


def test_every_statement_that_fails_is_told_with_its_line(database: Database) -> None:
    text = """select pgflow.create_flow('9lives');
select pgflow.create_flow('fine');
select pgflow.add_step('fine', 'a',
  array['missing']);
select 1,
  nonsense();
select pgflow.add_step('fine', 'b')
"""
    loading = load(database, [script(text)])
    assert places(loading) == [
        ("refused-statement", "line 1"),
        ("refused-statement", "line 3"),
        ("refused-statement", "line 6"),
    ]
    assert "9lives" in loading.problems[0].problem.message
    assert loading.problems[2].problem.message.startswith("function nonsense() does not exist.")


def test_a_script_cannot_end_the_transaction(database: Database, sql: Session) -> None:
    text = "begin;\nselect pgflow.create_flow('kept');\ncommit;\n\\echo done\n"
    loading = load(database, [script(text)], keep=False)
    assert places(loading) == [
        ("transaction-command", "line 1"),
        ("transaction-command", "line 3"),
        ("psql-command", "line 4"),
    ]
    assert slugs(sql) == []


def test_the_rules_that_sql_does_not_know_hold_for_scripts_too(database: Database) -> None:
    text = TWO_STEPS + (
        "insert into pgflow.schedules (flow_slug, schedule_slug, cron)"
        " values ('by_sql', 'nightly', '0 99 * * *');"
    )
    assert places(load(database, [script(text)])) == [
        ("invalid-cron", "by_sql.schedules.nightly.cron")
    ]


def test_a_subflow_may_stand_in_any_file_or_in_the_store(database: Database) -> None:
    load(database, [script(TWO_STEPS)])
    outer = Flow("outer").subflow("stored", "by_sql").subflow("given", "inner")
    sources = [
        FlowSource("a.py", flows=(outer,)),
        FlowSource("b.py", flows=(Flow("inner").step("s"),)),
    ]
    assert load(database, sources).problems == []
    alone = load(database, sources[:1], keep=False)
    assert alone.problems == []


def test_flows_that_contain_each_other_are_found_across_files(database: Database) -> None:
    a, b = Flow("a").subflow("to_b", "b"), Flow("b").subflow("to_a", "a")
    loading = load(database, [FlowSource("a.json", flows=(a,)), FlowSource("b.json", flows=(b,))])
    assert [(found.source, found.problem.code) for found in loading.problems] == [
        ("a.json", "recursive-subflow"),
        ("b.json", "recursive-subflow"),
    ]


def test_a_flow_may_stand_in_two_files_when_it_is_the_same(database: Database) -> None:
    flow, other = Flow("a").step("s"), Flow("a").step("t")
    same = [FlowSource("1.py", flows=(flow,)), FlowSource("2.py", flows=(flow,))]
    different = [FlowSource("1.py", flows=(flow,)), FlowSource("2.py", flows=(other,))]
    assert load(database, same).problems == []
    assert places(load(database, different)) == [("duplicate-flow", "a")]


def test_a_script_that_starts_its_own_flow_works(database: Database, sql: Session) -> None:
    loading = load(database, [script(TWO_STEPS + "select pgflow.start_flow('by_sql');")])
    assert [change.slug for change in loading.changes.values()] == ["by_sql"]
    assert sql.value("select flow_version from pgflow.runs") == 1


def test_the_example_that_is_written_in_sql_loads(database: Database, sql: Session) -> None:
    text = Path(FOLDER / "ai_workflow.sql").read_text()
    assert load(database, [script(text)]).problems == []
    assert sql.column("select step_slug from pgflow.steps order by step_index") == [
        "fetch",
        "process",
        "save",
    ]


def test_a_deleted_flow_is_told(database: Database) -> None:
    load(database, [script(TWO_STEPS)])
    [change] = load(database, [script("select pgflow.delete_flow('by_sql')")]).changes.values()
    assert (change.slug, change.is_deleted) == ("by_sql", True)
