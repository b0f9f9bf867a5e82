"""What only one kind of step has stands in one column, in one form, and is held to its kind."""

import psycopg2
import psycopg2.errors
import pytest
from pydantic_core import to_jsonable_python

from dagster_pgflow.model.steps import KINDS, HandledStep
from tests.postgres import Session


@pytest.fixture(autouse=True)
def flow(sql: Session) -> None:
    """A flow with a step of each kind."""
    sql("select pgflow.create_flow('child'), pgflow.add_step('child', 'one')")
    sql("select pgflow.create_flow('f'), pgflow.add_step('f', 'a'), pgflow.add_step('f', 'b')")
    sql("select pgflow.add_step('f', 'm', '{a}', step_type => 'map', batch_size => 7)")
    sql("select pgflow.add_step('f', 's', '{a}', step_type => 'subflow', subflow_slug => 'child')")
    sql("select pgflow.add_step('f', 'j', '{a,b}', step_type => 'join', wait => 'any')")
    sql("""
        select pgflow.add_step(
          'f', 'r', '{a}', step_type => 'branch', rules => '[{"when": "true", "then": ["t"]}]'
        )
    """)
    sql("select pgflow.add_step('f', 't', '{r}')")
    sql("select pgflow.add_step('f', 'p', '{a}', step_type => 'approval', prompt => 'Sure?')")
    sql("select pgflow.add_step('f', 'w', step_type => 'wait', signal => 'paid')")
    sql("select pgflow.add_step('f', 'z', step_type => 'sleep', seconds => 5)")
    sql("""
        select pgflow.add_step(
          'f', 'l', '{b}', step_type => 'loop', back_to => 'l', condition => 'false',
          max_iterations => 2
        )
    """)


def change(sql: Session, slug: str, settings: str) -> None:
    sql("update pgflow.steps set settings = %s where step_slug = %s", settings, slug)


def settings_of(sql: Session, slug: str) -> object:
    return sql.value("select settings from pgflow.steps where step_slug = %s", slug)


@pytest.mark.parametrize(
    ("slug", "settings", "told"),
    [
        ("a", '{"batch_size": 1}', 'has the setting "batch_size", which no single step has'),
        ("m", '{"rules": []}', 'has the setting "rules", which no map step has'),
        ("m", '{"slug": "x"}', 'has the setting "slug", which no map step has'),
        ("m", '{"batch_size": "1"}', 'has the setting "batch_size", which must be a whole number'),
        ("m", '{"batch_size": 1.5}', 'has the setting "batch_size", which must be a whole number'),
        (
            "m",
            '{"batch_size": 2147483648}',
            'has the setting "batch_size", which must be a whole number',
        ),
        ("m", '{"batch_size": null}', 'has the setting "batch_size", which must be a whole number'),
        ("m", '{"pipelined": 1}', 'has the setting "pipelined", which must be true or false'),
        ("s", '{"input": []}', 'has the setting "input", which must be an object'),
        ("s", '{"output": 5}', 'has the setting "output", which must be an object or text'),
        ("s", '{"over": {}}', 'has the setting "over", which must be text'),
        ("r", '{"rules": {}}', 'has the setting "rules", which must be a list'),
        (
            "r",
            '{"rules": [{}], "default_path": ["a", null]}',
            'has the setting "default_path", which must be a list of texts',
        ),
        ("j", '{"wait": []}', 'has the setting "wait", which must be text or a whole number'),
        ("l", '{"back_to": 5}', 'has the setting "back_to", which must be text'),
        (
            "p",
            '{"answerers": "boss"}',
            'has the setting "answerers", which must be a list of texts',
        ),
        (
            "w",
            '{"signal": "paid", "reminders": [1, 1.5]}',
            'has the setting "reminders", which must be a list of whole numbers',
        ),
        (
            "w",
            '{"signal": "paid", "reminders": ["1"]}',
            'has the setting "reminders", which must be a list of whole numbers',
        ),
        ("z", '{"prompt": "Sure?"}', 'has the setting "prompt", which no sleep step has'),
        ("m", "[]", "has settings that are not an object"),
        ("m", "null", "has settings that are not an object"),
    ],
)
def test_settings_that_do_not_fit_the_kind_are_refused_with_a_sentence(
    sql: Session, slug: str, settings: str, told: str
) -> None:
    before = settings_of(sql, slug)
    with pytest.raises(psycopg2.errors.CheckViolation, match=told) as caught:
        change(sql, slug, settings)
    broken = caught.value.diag.constraint_name
    assert broken == (
        "settings_fit_the_kind"
        if "which no" in told
        else "settings_have_their_types"
        if "which must be" in told
        else "settings_are_an_object"
    )
    assert settings_of(sql, slug) == before


@pytest.mark.parametrize(
    ("slug", "settings", "constraint"),
    [
        ("r", "{}", "only_branch_steps_have_rules"),
        ("r", '{"rules": []}', "rules_are_a_list"),
        ("l", '{"back_to": "l"}', "only_loop_steps_go_back"),
        ("j", '{"wait": "some"}', "wait_is_valid"),
        ("j", '{"wait": "3"}', "wait_is_valid"),
        ("j", '{"wait": 0}', "wait_is_positive"),
        ("p", "{}", "only_approval_steps_ask"),
        ("p", '{"prompt": ""}', "prompt_is_short"),
        ("p", '{"prompt": "x", "answerers": [""]}', "answerers_have_names"),
        ("p", '{"prompt": "x", "deadline": 0}', "deadline_is_positive"),
        ("p", '{"prompt": "x", "key": ""}', "key_is_not_empty"),
        ("p", '{"prompt": "x", "on_deadline": "skip"}', "deadline_is_said"),
        ("p", '{"prompt": "x", "deadline": 9, "on_deadline": "no"}', "on_deadline_is_valid"),
        ("p", '{"prompt": "x", "deadline": 9, "default_answer": 1}', "default_answer_goes_on"),
        (
            "p",
            '{"prompt": "x", "deadline": 9, "on_deadline": "skip", "on_timeout": "t"}',
            "timeout_step_is_of_a_failure",
        ),
        (
            "p",
            '{"prompt": "x", "deadline": 9, "reminders": [1, 9]}',
            "reminders_come_before_the_deadline",
        ),
        ("w", "{}", "only_wait_steps_have_a_signal"),
        ("w", '{"signal": ""}', "signal_is_a_name"),
        ("z", "{}", "sleep_ends_once"),
        ("z", '{"seconds": 5, "until": "input"}', "sleep_ends_once"),
        ("z", '{"seconds": 0}', "seconds_are_positive"),
        ("z", '{"until": ""}', "until_is_not_empty"),
        (
            "l",
            '{"back_to": "l", "condition": "", "max_iterations": 3}',
            "condition_is_not_empty",
        ),
        (
            "l",
            '{"back_to": "l", "condition": "true", "max_iterations": 1001}',
            "max_iterations_is_in_range",
        ),
    ],
)
def test_the_values_of_settings_are_held_to_constraints(
    sql: Session, slug: str, settings: str, constraint: str
) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation) as caught:
        change(sql, slug, settings)
    assert caught.value.diag.constraint_name == constraint


def test_another_kind_has_none_of_the_settings_of_the_one_before(sql: Session) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match="which no single step has"):
        sql("update pgflow.steps set step_type = 'single' where step_slug = 'm'")
    sql("update pgflow.steps set step_type = 'single', settings = '{}' where step_slug = 'm'")


def test_what_is_as_by_default_is_left_out_so_that_nothing_is_published(sql: Session) -> None:
    versions = sql.value("select count(*) from pgflow.flow_versions")
    change(sql, "m", '{"batch_size": 7, "collect_errors": false, "pipelined": false}')
    change(sql, "s", '{"mode": "inline"}')
    assert settings_of(sql, "m") == {"batch_size": 7}
    assert settings_of(sql, "s") == {}
    assert sql.value("select count(*) from pgflow.flow_versions") == versions


def test_a_definition_that_spells_out_defaults_and_nulls_is_the_same(sql: Session) -> None:
    definition = sql.value("select pgflow.flow_definition('f')")
    versions = sql.value("select count(*) from pgflow.flow_versions")
    sql("""
        select pgflow.replace_flow(jsonb_set(
          pgflow.flow_definition('f'),
          '{steps,2}',
          pgflow.flow_definition('f') #> '{steps,2}'
          || '{"collect_errors": false, "max_failures": null, "params": null}'
        ))
    """)
    assert sql.value("select pgflow.flow_definition('f')") == definition
    assert sql.value("select count(*) from pgflow.flow_versions") == versions


def test_a_step_that_is_given_as_in_a_definition_is_the_one_that_add_step_adds(
    sql: Session,
) -> None:
    for step in sql.column("select jsonb_array_elements(pgflow.step_definitions('f'))::text"):
        sql("select pgflow.define_step('f', %s::jsonb)", step)
    sql("""select pgflow.define_step('f', '{"slug": "n", "type": "map", "max_failures": 2}')""")
    assert settings_of(sql, "n") == {"max_failures": 2}
    with pytest.raises(psycopg2.errors.UniqueViolation, match="differs in: max_failures;"):
        sql("select pgflow.add_step('f', 'n', step_type => 'map')")


def test_a_default_answer_keeps_its_nulls_and_is_none_where_it_is_null(sql: Session) -> None:
    change(
        sql,
        "p",
        '{"prompt": "x", "deadline": 9, "on_deadline": "continue", "default_answer": {"a": null}}',
    )
    assert settings_of(sql, "p")["default_answer"] == {"a": None}  # type: ignore[index]
    change(sql, "p", '{"prompt": "x", "default_answer": null}')
    assert settings_of(sql, "p") == {"prompt": "x"}


@pytest.mark.parametrize("kind", KINDS)
def test_settings_are_the_fields_that_only_a_kind_has_and_those_of_failures(
    sql: Session, kind: str
) -> None:
    model = KINDS[kind]
    settings = sql.value("select pgflow.settings_of(%s)", kind)
    fields = model.model_fields.keys() - HandledStep.model_fields.keys() - {"type", "flow"}
    fields |= model.model_fields.keys() & {"on_failure", "on_timeout"}
    assert settings.keys() == fields
    defaults = {
        name: to_jsonable_python(field.default)
        for name, field in model.model_fields.items()
        if name in fields and not field.is_required() and field.default is not None
    }
    assert {
        name: setting["default"] for name, setting in settings.items() if "default" in setting
    } == defaults


@pytest.mark.parametrize("kind", KINDS)
def test_every_setting_is_a_parameter_of_add_step(sql: Session, kind: str) -> None:
    parameters = sql.value(
        """
        select proargnames
        from pg_proc
        where pronamespace = 'pgflow'::regnamespace
          and proname = 'add_step'
          and prorettype = 'pgflow.steps'::regtype
        """
    )
    named = {"input": "subflow_input", "output": "subflow_output"}
    settings = sql.column("select jsonb_object_keys(pgflow.settings_of(%s))", kind)
    assert {named.get(name, name) for name in settings} <= set(parameters)
