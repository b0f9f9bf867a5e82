import psycopg2.errors
import pytest

from tests.postgres import Session


def test_create_flow_has_the_published_names_and_defaults(sql: Session) -> None:
    arguments = sql.value(
        "select pg_get_function_arguments('pgflow.create_flow(varchar, int, int)'::regprocedure)"
    )
    assert arguments == (
        "p_workflow_slug character varying, p_max_attempts integer DEFAULT 3,"
        " p_timeout integer DEFAULT 30"
    )


def test_add_step_has_the_published_names_and_defaults(sql: Session) -> None:
    arguments = sql.value(
        "select pg_get_function_arguments("
        "'pgflow.add_step(varchar, varchar, text[], text, int, int, int)'::regprocedure)"
    )
    assert arguments == (
        "p_workflow_slug character varying, p_step_slug character varying,"
        " p_depends_on text[] DEFAULT '{}'::text[], p_step_type text DEFAULT 'single'::text,"
        " p_initial_tasks integer DEFAULT NULL::integer,"
        " p_max_attempts integer DEFAULT NULL::integer, p_timeout integer DEFAULT NULL::integer"
    )


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("p_workflow_slug => 'w'", ("w", 3, 30)),
        ("p_workflow_slug => 'w', p_timeout => 45", ("w", 3, 45)),
        ("p_workflow_slug => 'w', p_max_attempts => 9, p_timeout => 45", ("w", 9, 45)),
        ("p_workflow_slug => 'w'::text, p_max_attempts => 1", ("w", 1, 30)),
        ("p_workflow_slug := 'w'::varchar", ("w", 3, 30)),
        ("p_workflow_slug => 'w', p_max_attempts => null, p_timeout => null", ("w", 3, 30)),
    ],
)
def test_create_flow_by_name(sql: Session, arguments: str, expected: tuple[str, int, int]) -> None:
    statement = f"select workflow_slug, max_attempts, timeout from pgflow.create_flow({arguments})"
    assert sql(statement) == [expected]
    assert sql.value("select opt_base_delay from pgflow.flows") == 5


def test_positions_find_the_flow_function(sql: Session) -> None:
    assert sql(
        "select flow_slug, opt_base_delay, opt_timeout from pgflow.create_flow('f', 3, 7)"
    ) == [("f", 7, 60)]
    assert sql.value("select step_slug from pgflow.add_step('f', 'a', '{}', 4)") == "a"
    assert sql("select flow_slug, opt_max_attempts from pgflow.steps") == [("f", 4)]


def test_the_workflow_of_the_paper_is_created_by_name(sql: Session) -> None:
    sql("select * from pgflow.create_flow(p_workflow_slug => 'ai_workflow')")
    sql("select * from pgflow.add_step(p_workflow_slug => 'ai_workflow', p_step_slug => 'fetch')")
    [process] = sql.records(
        """
        select * from pgflow.add_step(
          p_workflow_slug => 'ai_workflow', p_step_slug => 'process',
          p_depends_on => array['fetch'], p_step_type => 'map', p_initial_tasks => 100
        )
        """
    )
    del process["created_at"]
    assert process == {
        "workflow_slug": "ai_workflow",
        "step_slug": "process",
        "step_type": "map",
        "step_index": 1,
        "deps_count": 1,
        "initial_tasks": 100,
        "max_attempts": None,
        "timeout": None,
    }
    sql(
        "select * from pgflow.add_step(p_workflow_slug => 'ai_workflow', p_step_slug => 'save',"
        " p_depends_on => array['process'], p_max_attempts => 2, p_timeout => 9)"
    )
    definition = sql.value("select pgflow.flow_definition('ai_workflow')")
    assert definition == {
        "slug": "ai_workflow",
        "options": {"timeout": 30},
        "steps": [
            {"type": "single", "slug": "fetch"},
            {"type": "map", "slug": "process", "depends_on": ["fetch"]},
            {
                "type": "single",
                "slug": "save",
                "depends_on": ["process"],
                "options": {"max_attempts": 2, "timeout": 9},
            },
        ],
    }


def test_both_styles_work_on_the_same_flow(sql: Session) -> None:
    sql("select pgflow.create_flow('f')")
    [again] = sql.records("select * from pgflow.create_flow(p_workflow_slug => 'f')")
    assert (again["workflow_slug"], again["timeout"]) == ("f", 60)
    sql("select pgflow.add_step(p_workflow_slug => 'f', p_step_slug => 'a')")
    assert sql.value("select step_index from pgflow.add_step('f', 'a')") == 0


def test_the_same_again_is_returned_and_the_rest_refused_in_this_style_too(sql: Session) -> None:
    create = "select * from pgflow.create_flow(p_workflow_slug => %s, p_timeout => %s)"
    [flow] = sql(create, "w", 9)
    assert sql(create, "w", 10) == [flow]
    with pytest.raises(psycopg2.errors.CheckViolation, match="slug_is_valid"):
        sql(create, "run", 9)
    add = (
        "select * from pgflow.add_step(p_workflow_slug => 'w', p_step_slug => 'a',"
        " p_depends_on => %s, p_timeout => %s)"
    )
    [step] = sql(add, None, 9)
    assert sql(add, [], 9) == [step]
    with pytest.raises(psycopg2.errors.UniqueViolation, match="differs in: timeout;"):
        sql(add, None, 8)
    with pytest.raises(psycopg2.errors.CheckViolation, match="cannot depend on itself"):
        sql(add.replace("'a'", "'b'"), ["b"], 9)


def test_flows_with_options_that_workflows_lack_are_found_by_this_style(sql: Session) -> None:
    sql("select pgflow.create_flow('f', jitter => 'full', description => 'Mine')")
    sql("select pgflow.add_step('f', 'm', step_type => 'map', collect_errors => true)")
    [flow] = sql.records("select * from pgflow.create_flow(p_workflow_slug => 'f')")
    assert flow["timeout"] == 60
    with pytest.raises(psycopg2.errors.UniqueViolation, match="differs in: collect_errors;"):
        sql(
            "select pgflow.add_step(p_workflow_slug => 'f', p_step_slug => 'm',"
            " p_step_type => 'map')"
        )


def test_a_map_with_two_dependencies_is_refused_in_this_style_too(sql: Session) -> None:
    sql("select pgflow.create_flow('f'), pgflow.add_step('f', 'a'), pgflow.add_step('f', 'b')")
    expected = 'Map step "m" can have at most one dependency, but 2 were provided: a, b'
    with pytest.raises(psycopg2.errors.CheckViolation, match=expected):
        sql(
            "select pgflow.add_step(p_workflow_slug => 'f', p_step_slug => 'm',"
            " p_depends_on => array['a', 'b'], p_step_type => 'map')"
        )
