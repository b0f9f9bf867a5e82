"""What is asked of subruns most, each answered from an index however many subruns there are."""

from typing import Any

import pytest

from tests.postgres import Session

RUNS = 10_000
SUBRUNS_PER_RUN = 100
FILL = f"""
    set local session_replication_role to replica;

    insert into pgflow.runs (run_id, flow_slug)
    select gen_random_uuid(), 'order' from generate_series(1, {RUNS});

    -- Ten subruns of the run itself, each with nine inside: 1, 1.1, ..., 1.9, 2, ...
    insert into pgflow.subruns (
      parent_run_id, parent_subrun_id, parent_step_slug, subflow_slug, run_index, subrun_index,
      subrun_path, created_at
    )
    select
      run.number,
      case when at.inside > 0 then (run.number - 1) * {SUBRUNS_PER_RUN} + at.outside * 10 - 9 end,
      case when at.inside > 0 then 'inner_' || at.inside else 'step_' || at.outside end,
      'flow_' || (run.number * at.outside) % 500,
      (at.outside - 1) * 10 + at.inside + 1,
      case when at.inside > 0 then at.inside else at.outside end,
      at.outside || case when at.inside > 0 then '.' || at.inside else '' end,
      now() - make_interval(mins => run.number)
    from generate_series(1, {RUNS}) as run (number)
    cross join (
      select outside, inside
      from generate_series(1, {SUBRUNS_PER_RUN} / 10) as outside, generate_series(0, 9) as inside
      order by outside, inside
    ) as at
    order by run.number, at.outside, at.inside;
"""
QUESTIONS = {
    "all subruns of a run": "select * from pgflow.subruns where parent_run_id = 500",
    "in their order": "select * from pgflow.subruns where parent_run_id = 500 order by run_index",
    "those of a step": """
        select * from pgflow.subruns where parent_run_id = 500 and parent_step_slug = 'step_3'
    """,
    "one path": """
        select * from pgflow.subruns where parent_run_id = 500 and subrun_path = '3.2'
    """,
    "everything below a subrun": """
        select * from pgflow.subruns where parent_subrun_id = 49901
    """,
    "the latest subruns of a flow": """
        select * from pgflow.subruns where subflow_slug = 'flow_7' order by created_at desc limit 10
    """,
    "all subruns of a run in the view": """
        select * from pgflow.all_runs where parent_run_id = 500
    """,
    "what a run is and contains": """
        select * from pgflow.all_runs where top_run_id = 500
    """,
}

WHOLE_SCANS = "select seq_scan from pg_stat_xact_user_tables where relname = 'subruns'"


@pytest.fixture
def filled(sql: Session) -> Session:
    with sql.transaction():
        sql(FILL)
    sql("analyze pgflow.runs, pgflow.subruns")
    return sql


def scans(sql: Session, question: str) -> list[str]:
    """Returns how the tables are read that a question is about."""
    [plan] = sql.value(f"explain (format json) {question}")
    found: list[str] = []

    def visit(node: dict[str, Any]) -> None:
        if node.get("Relation Name") == "subruns":
            found.append(node["Node Type"])
        for inner in node.get("Plans", ()):
            visit(inner)

    visit(plan["Plan"])
    return found


def test_a_million_subruns_are_read_by_index(filled: Session) -> None:
    assert filled.value("select count(*) from pgflow.subruns") == RUNS * SUBRUNS_PER_RUN
    read = {name: scans(filled, question) for name, question in QUESTIONS.items()}
    assert read == {name: ["Index Scan"] for name in QUESTIONS}
    assert len(filled(QUESTIONS["one path"])) == 1
    assert len(filled(QUESTIONS["everything below a subrun"])) == 9
    with filled.transaction():
        before = filled.value(WHOLE_SCANS)
        filled("select * from pgflow.child_trace(49901)")
        assert filled.value(WHOLE_SCANS) == before
