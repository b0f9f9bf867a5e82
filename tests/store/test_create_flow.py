import psycopg2.errors
import pytest

from tests.postgres import Session


def test_it_returns_the_row_with_defaults(sql: Session) -> None:
    [flow] = sql.records("select * from pgflow.create_flow('order')")
    del flow["created_at"]
    assert flow == {
        "flow_slug": "order",
        "opt_max_attempts": 3,
        "opt_base_delay": 5,
        "opt_timeout": 60,
        "description": "",
        "input_schema": None,
        "output_schema": None,
        "tags": {},
        "opt_max_delay": 3600,
        "opt_jitter": "none",
        "opt_max_concurrent_runs": None,
        "opt_concurrency_key": None,
        "opt_max_concurrent_runs_per_key": None,
        "merge_output": False,
        "opt_max_recoveries": 3,
        "opt_timeout_ms": None,
        "opt_on_event": None,
    }


@pytest.mark.parametrize(
    ("call", "expected"),
    [
        ("create_flow('f')", (3, 5, 60)),
        ("create_flow('f', null, null, null)", (3, 5, 60)),
        ("create_flow('f', 5, 10, 120)", (5, 10, 120)),
        ("create_flow('f', 0, 0, 1)", (0, 0, 1)),
        ("create_flow('f', timeout => 90)", (3, 5, 90)),
        ("create_flow('f', max_attempts => 7)", (7, 5, 60)),
        ("create_flow(flow_slug => 'f', base_delay => 1)", (3, 1, 60)),
        ("create_flow('f'::text, 5, 10)", (5, 10, 60)),
        ("create_flow('f', 5, 10, 120, 600, 'full')", (5, 10, 120)),
        ("create_flow('f', 5, jitter => 'full')", (5, 5, 60)),
        ("create_flow('f', description => 'Orders', tags => '{}')", (3, 5, 60)),
        ("create_flow(flow_slug := 'f', timeout := 1)", (3, 5, 1)),
    ],
)
def test_each_option_has_its_own_default(
    sql: Session, call: str, expected: tuple[int, int, int]
) -> None:
    statement = f"select opt_max_attempts, opt_base_delay, opt_timeout from pgflow.{call}"
    assert sql(statement) == [expected]


def test_its_parameters_have_the_published_names_and_defaults(sql: Session) -> None:
    arguments = sql.value(
        """
        select pg_get_function_arguments(oid)
        from pg_proc
        where pronamespace = 'pgflow'::regnamespace
          and proname = 'create_flow'
          and prorettype = 'pgflow.flows'::regtype
        """
    )
    published = (
        "flow_slug text, max_attempts integer DEFAULT NULL::integer,"
        " base_delay integer DEFAULT NULL::integer, timeout integer DEFAULT NULL::integer"
    )
    assert arguments.startswith(published)
    own = arguments.removeprefix(published).split(", ")[1:]
    assert [argument.split()[0] for argument in own] == [
        "max_delay", "jitter", "description", "tags", "input_schema", "output_schema",
        "max_concurrent_runs", "concurrency_key", "max_concurrent_runs_per_key",
        "merge_output", "timeout_ms", "on_event", "max_recoveries",
    ]  # fmt: skip
    assert all(" DEFAULT " in argument for argument in own)


def test_our_own_parameters_are_stored(sql: Session) -> None:
    [flow] = sql.records(
        """
        select * from pgflow.create_flow(
          'order', max_delay => 600, jitter => 'plus-minus', description => 'Takes orders',
          tags => '{"team": "shop"}', input_schema => '{"type": "object"}',
          output_schema => '{"required": ["charge"]}', max_concurrent_runs => 5,
          concurrency_key => 'input.shop', max_concurrent_runs_per_key => 1,
          merge_output => true, timeout_ms => 250, max_recoveries => 0
        )
        """
    )
    assert (flow["opt_max_delay"], flow["opt_jitter"]) == (600, "plus-minus")
    assert sql.value("select pgflow.flow_definition('order')") == {
        "slug": "order",
        "description": "Takes orders",
        "options": {
            "timeout_ms": 250,
            "max_delay": 600,
            "jitter": "plus-minus",
            "max_concurrent_runs": 5,
            "concurrency_key": "input.shop",
            "max_concurrent_runs_per_key": 1,
            "max_recoveries": 0,
        },
        "tags": {"team": "shop"},
        "input_schema": {"type": "object"},
        "output_schema": {"required": ["charge"]},
        "merge_output": True,
    }


def test_nulls_stand_for_the_defaults(sql: Session) -> None:
    sql(f"select pgflow.create_flow('order', {', '.join(['null'] * 9)})")
    assert sql.value("select pgflow.flow_definition('order')") == {"slug": "order"}


def test_an_existing_flow_is_returned_unchanged(sql: Session) -> None:
    [first] = sql("select * from pgflow.create_flow('order', 7, 8, 9)")
    [second] = sql("select * from pgflow.create_flow('order', 1, 1, 1, description => 'New')")
    assert second == first
    assert sql.value("select count(*) from pgflow.flows") == 1
    assert sql.value("select count(*) from pgflow.flow_versions") == 1


@pytest.mark.parametrize("slug", ["", "run", "1st", "has-dash", "x" * 129, None])
def test_an_invalid_slug_is_refused_with_the_name_of_the_constraint(
    sql: Session, slug: str | None
) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match="slug_is_valid") as caught:
        sql("select pgflow.create_flow(%s)", slug)
    assert caught.value.diag.constraint_name == "slug_is_valid"


@pytest.mark.parametrize(
    ("options", "constraint"),
    [
        ("-1, 5, 60", "opt_max_attempts_is_nonnegative"),
        ("3, -1, 60", "opt_base_delay_is_nonnegative"),
        ("3, 5, 0", "opt_timeout_is_positive"),
        ("max_delay => -1", "opt_max_delay_is_nonnegative"),
        ("timeout_ms => 0", "opt_timeout_ms_is_positive"),
        ("timeout => 1, timeout_ms => 999", "a_timeout_is_said_once"),
        ("max_concurrent_runs => 0", "opt_max_concurrent_runs_is_positive"),
        (
            "concurrency_key => 'input.a', max_concurrent_runs_per_key => 0",
            "opt_max_concurrent_runs_per_key_is_positive",
        ),
        ("max_concurrent_runs_per_key => 1", "a_limit_per_key_has_a_key"),
        ("concurrency_key => ''", "concurrency_key_is_not_empty"),
        ("jitter => 'some'", "jitter_is_valid"),
        ("tags => '[]'", "tags_are_an_object"),
        ("tags => '{\"a\": 1}'", "tags_are_texts"),
        ("tags => '{\"a\": []}'", "tags_are_texts"),
        ("input_schema => '3'", "input_schema_is_object"),
        ("output_schema => 'null'", "output_schema_is_object"),
    ],
)
def test_an_option_out_of_range_breaks_the_published_constraint(
    sql: Session, options: str, constraint: str
) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation) as caught:
        sql(f"select pgflow.create_flow('order', {options})")
    assert caught.value.diag.constraint_name == constraint
    assert sql("select * from pgflow.flows") == []


def test_it_works_with_any_search_path(sql: Session) -> None:
    sql("set search_path to ''")
    assert sql.value("select flow_slug from pgflow.create_flow('order')") == "order"
