import re

import psycopg2
import psycopg2.errors
import pytest

from tests.postgres import Session

PUBLISHED_ARGUMENTS = (
    "flow_slug text, step_slug text, deps_slugs text[] DEFAULT '{}'::text[],"
    " max_attempts integer DEFAULT NULL::integer, base_delay integer DEFAULT NULL::integer,"
    " timeout integer DEFAULT NULL::integer, start_delay integer DEFAULT NULL::integer,"
    " step_type text DEFAULT 'single'::text,"
    " required_input_pattern jsonb DEFAULT NULL::jsonb,"
    " forbidden_input_pattern jsonb DEFAULT NULL::jsonb,"
    " when_unmet text DEFAULT 'skip'::text, when_exhausted text DEFAULT 'fail'::text"
)


@pytest.fixture(autouse=True)
def flow(sql: Session) -> None:
    """A flow with the steps a and b."""
    sql("select pgflow.create_flow('f')")
    sql("select pgflow.add_step('f', 'a')")
    sql("select pgflow.add_step('f', 'b')")


def test_its_first_parameters_have_the_published_names_and_defaults(sql: Session) -> None:
    arguments = sql.value(
        """
        select pg_get_function_arguments(oid)
        from pg_proc
        where pronamespace = 'pgflow'::regnamespace
          and proname = 'add_step'
          and prorettype = 'pgflow.steps'::regtype
        """
    )
    assert arguments.startswith(PUBLISHED_ARGUMENTS)
    own = arguments.removeprefix(PUBLISHED_ARGUMENTS).split(", ")[1:]
    assert own
    assert all(" DEFAULT " in argument for argument in own)


def test_a_bare_step_inherits_everything(sql: Session) -> None:
    [step] = sql.records("select * from pgflow.add_step('f', 'c')")
    del step["created_at"]
    assert step == {
        "flow_slug": "f",
        "step_slug": "c",
        "step_type": "single",
        "step_index": 2,
        "deps_count": 0,
        "opt_max_attempts": None,
        "opt_base_delay": None,
        "opt_timeout": None,
        "opt_start_delay": None,
        "required_input_pattern": None,
        "forbidden_input_pattern": None,
        "when_unmet": "skip",
        "when_exhausted": "fail",
        "handler": None,
        "params": {},
        "description": "",
        "subflow_slug": None,
        "input_schema": None,
        "output_schema": None,
        "initial_tasks": None,
        "run_if": None,
        "run_unless": None,
        "opt_max_delay": None,
        "opt_jitter": None,
        "pool": None,
        "settings": {},
        "opt_timeout_ms": None,
    }


def test_every_published_parameter_is_stored(sql: Session) -> None:
    [step] = sql.records(
        """
        select * from pgflow.add_step(
          'f', 'c', array['b', 'a'], 4, 6, 30, 2, 'single', '{"x": 1}', '{"y": null}',
          'skip-cascade', 'skip'
        )
        """
    )
    wanted = {
        "deps_count": 2,
        "opt_max_attempts": 4,
        "opt_base_delay": 6,
        "opt_timeout": 30,
        "opt_start_delay": 2,
        "required_input_pattern": {"x": 1},
        "forbidden_input_pattern": {"y": None},
        "when_unmet": "skip-cascade",
        "when_exhausted": "skip",
    }
    assert {name: step[name] for name in wanted} == wanted
    deps = sql.column("select dep_slug from pgflow.deps where step_slug = 'c' order by dep_index")
    assert deps == ["b", "a"]


def test_our_own_parameters_are_stored(sql: Session) -> None:
    [step] = sql.records(
        """
        select * from pgflow.add_step(
          'f', 'c', '{a}', step_type => 'map', handler => 'shop.price', params => '{"k": [1]}',
          description => 'Prices', batch_size => 10, initial_tasks => 100,
          input_schema => '{"type": "string"}', output_schema => '{"type": "number"}',
          run_if => 'size(output) > 0', run_unless => 'flow_input.dry',
          max_delay => 600, jitter => 'full', collect_errors => true, timeout_ms => 250
        )
        """
    )
    wanted = {
        "step_type": "map",
        "handler": "shop.price",
        "params": {"k": [1]},
        "description": "Prices",
        "initial_tasks": 100,
        "input_schema": {"type": "string"},
        "output_schema": {"type": "number"},
        "run_if": "size(output) > 0",
        "run_unless": "flow_input.dry",
        "opt_max_delay": 600,
        "opt_jitter": "full",
        "opt_timeout_ms": 250,
        "settings": {"batch_size": 10, "collect_errors": True},
    }
    assert {name: step[name] for name in wanted} == wanted


@pytest.mark.parametrize(
    "arguments",
    [
        "'f', 'c'",
        "'f'::text, 'c'::text",
        "'f', 'c', '{}'",
        "'f', 'c', array[]::text[]",
        "'f', 'c', '{}', null, null, null, null, 'single', null, null, 'skip', 'fail'",
        "'f', 'c', deps_slugs => '{}'",
        "flow_slug => 'f', step_slug => 'c'",
        "step_slug := 'c', flow_slug := 'f', step_type := 'single'",
        "'f', 'c', '{}', step_type => 'single', when_unmet => 'skip', when_exhausted => 'fail'",
        "'f', 'c', collect_errors => false, pipelined => false, max_delay => null",
    ],
)
def test_every_style_of_call_finds_the_function_and_adds_the_same_step(
    sql: Session, arguments: str
) -> None:
    [first] = sql("select * from pgflow.add_step('f', 'c')")
    assert sql(f"select * from pgflow.add_step({arguments})") == [first]


def test_nulls_stand_for_the_defaults(sql: Session) -> None:
    [step] = sql.records(
        """
        select * from pgflow.add_step(
          'f', 'c', null, null, null, null, null, null, null, null, null, null,
          params => null, description => null, max_delay => null, jitter => null,
          collect_errors => null, pipelined => null
        )
        """
    )
    assert (step["step_type"], step["when_unmet"], step["when_exhausted"]) == (
        "single",
        "skip",
        "fail",
    )
    assert (step["deps_count"], step["params"], step["description"]) == (0, {}, "")
    assert step["settings"] == {}


def test_steps_are_numbered_in_the_order_of_definition(sql: Session) -> None:
    sql("select pgflow.add_step('f', 'c')")
    assert sql("select step_slug, step_index from pgflow.steps order by step_index") == [
        ("a", 0),
        ("b", 1),
        ("c", 2),
    ]


def test_a_dependency_listed_twice_counts_once(sql: Session) -> None:
    assert sql.value("select deps_count from pgflow.add_step('f', 'c', '{a,b,a}')") == 2
    assert (
        sql.value("select deps_count from pgflow.add_step('f', 'm', '{a,a}', step_type => 'map')")
        == 1
    )


@pytest.mark.parametrize("deps", ["{}", "{a}"])
def test_a_map_has_no_or_one_dependency(sql: Session, deps: str) -> None:
    step_type = sql.value(
        "select step_type from pgflow.add_step('f', 'm', %s, step_type => 'map')", deps
    )
    assert step_type == "map"


def test_a_map_with_two_dependencies_is_refused_and_they_are_named(sql: Session) -> None:
    expected = re.escape('Map step "m" can have at most one dependency, but 2 were provided: b, a')
    with pytest.raises(psycopg2.errors.CheckViolation, match=f"^{expected}"):
        sql("select pgflow.add_step('f', 'm', array['b', 'a'], step_type => 'map')")


def test_the_same_step_again_is_returned(sql: Session) -> None:
    call = "select * from pgflow.add_step('f', 'c', array['a', 'b'], 4, handler => 'x')"
    [first] = sql(call)
    assert sql(call) == [first]
    reordered = call.replace("'a', 'b'", "'b', 'a', 'b'")
    assert sql(reordered) == [first]
    assert sql.value("select count(*) from pgflow.steps") == 3


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("max_attempts => 5", "max_attempts"),
        ("handler => 'other'", "handler"),
        ("""params => '{"a": 1}'""", "params"),
        ("deps_slugs => '{a}'", "deps_slugs"),
        ("step_type => 'map'", "step_type"),
        ("when_unmet => 'fail', timeout => 9", "timeout, when_unmet"),
        ("required_input_pattern => '{}'", "required_input_pattern"),
        ("run_if => 'true', run_unless => 'false'", "run_if, run_unless"),
        ("max_delay => 9, jitter => 'none'", "jitter, max_delay"),
        ("step_type => 'map', collect_errors => true", "collect_errors, step_type"),
        ("pipelined => true", "pipelined"),
    ],
)
def test_the_same_slug_with_other_content_is_refused_and_the_difference_named(
    sql: Session, change: str, named: str
) -> None:
    before = sql("select * from pgflow.steps order by step_index")
    message = f'already has a step "b" that differs in: {named};'
    with pytest.raises(psycopg2.errors.UniqueViolation, match=message):
        sql(f"select pgflow.add_step('f', 'b', {change})")
    assert sql("select * from pgflow.steps order by step_index") == before


def test_a_missing_dependency_is_refused_and_named(sql: Session) -> None:
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match='depends on "y", "z"') as caught:
        sql("select pgflow.add_step('f', 'c', array['y', 'a', 'z'])")
    assert caught.value.diag.constraint_name == "deps_flow_slug_dep_slug_fkey"


def test_a_step_of_another_flow_is_no_dependency(sql: Session) -> None:
    sql("select pgflow.create_flow('g')")
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match='depends on "a"'):
        sql("select pgflow.add_step('g', 'c', array['a'])")


def test_a_step_cannot_depend_on_itself(sql: Session) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match="cannot depend on itself") as caught:
        sql("select pgflow.add_step('f', 'c', array['c'])")
    assert caught.value.diag.constraint_name == "deps_check"


def test_a_null_dependency_is_refused(sql: Session) -> None:
    with pytest.raises(psycopg2.errors.NullValueNotAllowed, match="a dependency that is null"):
        sql("select pgflow.add_step('f', 'c', array['a', null])")


def test_an_unknown_flow_is_refused(sql: Session) -> None:
    with pytest.raises(
        psycopg2.errors.ForeignKeyViolation, match='"nope" does not exist'
    ) as caught:
        sql("select pgflow.add_step('nope', 'a')")
    assert caught.value.diag.constraint_name == "steps_flow_slug_fkey"


@pytest.mark.parametrize("slug", ["", "run", "1st", "has-dash", "x" * 129, None])
def test_an_invalid_slug_is_refused_with_the_name_of_the_constraint(
    sql: Session, slug: str | None
) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match="not a valid step slug") as caught:
        sql("select pgflow.add_step('f', %s)", slug)
    assert caught.value.diag.constraint_name == "steps_step_slug_check"


@pytest.mark.parametrize(
    ("argument", "constraint"),
    [
        ("max_attempts => -1", "opt_max_attempts_is_nonnegative"),
        ("base_delay => -1", "opt_base_delay_is_nonnegative"),
        ("timeout => 0", "opt_timeout_is_positive"),
        ("timeout_ms => 0", "opt_timeout_ms_is_positive"),
        ("timeout => 1, timeout_ms => 999", "a_timeout_is_said_once"),
        ("start_delay => -1", "opt_start_delay_is_nonnegative"),
        ("step_type => 'loop_the_loop'", "steps_step_type_check"),
        ("required_input_pattern => '[]'", "required_input_pattern_is_object"),
        ("forbidden_input_pattern => '3'", "forbidden_input_pattern_is_object"),
        ("required_input_pattern => 'null'", "required_input_pattern_is_object"),
        ("when_unmet => 'explode'", "when_unmet_is_valid"),
        ("when_exhausted => 'explode'", "when_exhausted_is_valid"),
        ("params => '[]'", "params_are_an_object"),
        ("handler => ''", "handler_is_a_name"),
        ("batch_size => 0, step_type => 'map'", "batch_size_is_positive"),
        ("batch_size => 5", "settings_fit_the_kind"),
        ("initial_tasks => -1", "initial_tasks_is_nonnegative"),
        ("run_if => ''", "run_if_is_not_empty"),
        ("run_unless => ''", "run_unless_is_not_empty"),
        ("step_type => 'subflow'", "subflow_steps_name_a_subflow"),
        ("subflow_slug => 'f'", "only_subflow_steps_name_a_subflow"),
        ("max_delay => -1", "opt_max_delay_is_nonnegative"),
        ("jitter => 'some'", "jitter_is_valid"),
        ("collect_errors => true", "settings_fit_the_kind"),
        ("pipelined => true", "settings_fit_the_kind"),
        ("pipelined => true, step_type => 'map'", "pipelined_step_follows_a_map_step"),
    ],
)
def test_a_refused_step_breaks_the_named_constraint_and_leaves_nothing(
    sql: Session, argument: str, constraint: str
) -> None:
    definition = sql.value("select pgflow.flow_definition('f')")
    versions = sql.value("select count(*) from pgflow.flow_versions")
    with pytest.raises(psycopg2.errors.CheckViolation) as caught:
        sql(f"select pgflow.add_step('f', 'c', '{{a}}', {argument})")
    assert caught.value.diag.constraint_name == constraint
    assert sql.value("select pgflow.flow_definition('f')") == definition
    assert sql.value("select count(*) from pgflow.flow_versions") == versions


def test_a_subflow_step_names_a_flow_that_exists(sql: Session) -> None:
    sql("select pgflow.create_flow('child')")
    subflow = sql.value(
        "select subflow_slug from pgflow.add_step("
        "'f', 'c', '{a}', step_type => 'subflow', subflow_slug => 'child')"
    )
    assert subflow == "child"
    with pytest.raises(psycopg2.errors.ForeignKeyViolation, match='runs flow "nope"'):
        sql("select pgflow.add_step('f', 'd', step_type => 'subflow', subflow_slug => 'nope')")
