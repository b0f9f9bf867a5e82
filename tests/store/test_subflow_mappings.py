import re

import psycopg2
import psycopg2.errors
import pytest

from tests.postgres import Session


@pytest.fixture(autouse=True)
def flows(sql: Session) -> None:
    """A flow to contain, and one with two steps."""
    sql("select pgflow.create_flow('child'), pgflow.add_step('child', 'one')")
    sql("select pgflow.create_flow('f'), pgflow.add_step('f', 'a'), pgflow.add_step('f', 'b')")


def add(arguments: str, deps: str = "{a}", kind: str = "subflow") -> str:
    flow = ", subflow_slug => 'child'" if kind == "subflow" else ""
    return (
        f"select * from pgflow.add_step('f', 's', '{deps}', step_type => '{kind}'{flow},"
        f" {arguments})"
    )


def test_what_a_subflow_step_maps_is_stored_and_told_as_it_was_written(sql: Session) -> None:
    statement = add(
        """subflow_input =>
          '{"x": "$nodes.a.rows[0].n", "y": null, "z": "$$5", "t": "${$input.n}"}',
        subflow_output => '"$nodes.one.id"', on_failure => 'mend'"""
    )
    [first] = sql(statement)
    assert sql(statement) == [first]
    assert sql.value("select pgflow.step_definitions('f') -> 2") == {
        "type": "subflow",
        "slug": "s",
        "depends_on": ["a"],
        "flow": "child",
        "input": {"x": "$nodes.a.rows[0].n", "y": None, "z": "$$5", "t": "${$input.n}"},
        "output": "$nodes.one.id",
        "on_failure": "mend",
    }


def test_a_subflow_may_run_over_a_dependency_or_a_list_in_it(sql: Session) -> None:
    sql(add("""over => 'a', subflow_input => '{"n": "$item.n"}'"""))
    sql(
        "select pgflow.add_step('f', 't', '{b}', step_type => 'subflow', subflow_slug => 'child',"
        " over => '$nodes.b.rows')"
    )
    steps = sql.value("select pgflow.step_definitions('f')")
    assert [step.get("over") for step in steps] == [None, None, "a", "$nodes.b.rows"]


@pytest.mark.parametrize(
    ("arguments", "constraint", "told"),
    [
        ("subflow_input => '[]'", "settings_have_their_types", "must be an object"),
        ("subflow_output => '5'", "settings_have_their_types", "must be an object or text"),
        (
            """subflow_input => '{"x": ["$foo"]}'""",
            "references_are_well_formed",
            "has `$foo` in its subflow_input, which is not a reference; write $nodes.<step>,",
        ),
        (
            """subflow_input => '{"x": "to ${nodes.a}"}'""",
            "references_are_well_formed",
            "has `nodes.a` in its subflow_input",
        ),
        ("""subflow_input => '{"x": "$nodes"}'""", "references_are_well_formed", "`$nodes`"),
        (
            """subflow_input => '{"x": "$nodes.a b"}'""",
            "references_are_well_formed",
            "`$nodes.a b`",
        ),
        (
            """subflow_input => '{"x": {"y": "$nodes.b.n"}}'""",
            "input_refers_to_dependencies",
            'has `$nodes.b.n` in its subflow_input, but does not depend on "b"; add it to deps',
        ),
        (
            """subflow_input => '{"x": "$item.n"}'""",
            "only_steps_over_a_list_have_items",
            "where there is no item",
        ),
        (
            """subflow_output => '{"x": "$input.n"}'""",
            "output_refers_to_final_steps",
            'can only refer to final steps of flow "child": $nodes.<final step>.',
        ),
        ("over => 'b'", "over_is_a_dependency", 'runs over "b", but does not depend on it; add it'),
        ("over => '$nodes.b'", "input_refers_to_dependencies", "has `$nodes.b` in its over, but"),
        ("over => '$item'", "only_steps_over_a_list_have_items", "has `$item` in its over, where"),
        ("over => '$$a'", "references_are_well_formed", "has `$$a` in its over, which is no"),
        ("over => ''", "over_is_a_dependency", 'runs over "", but does not depend on it'),
    ],
)
def test_a_mapping_that_cannot_be_is_refused_with_a_sentence_and_leaves_nothing(
    sql: Session, arguments: str, constraint: str, told: str
) -> None:
    definition = sql.value("select pgflow.flow_definition('f')")
    with pytest.raises(psycopg2.errors.CheckViolation, match=re.escape(told)) as caught:
        sql(add(arguments))
    assert caught.value.diag.constraint_name == constraint
    assert sql.value("select pgflow.flow_definition('f')") == definition


@pytest.mark.parametrize(
    "arguments",
    [
        "subflow_input => '{}'",
        "subflow_output => '{}'",
        "over => 'a'",
        "mode => 'run'",
    ],
)
@pytest.mark.parametrize("kind", ["single", "map"])
def test_only_a_subflow_step_has_these(sql: Session, kind: str, arguments: str) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation, match=f"no {kind} step has") as caught:
        sql(add(arguments, kind=kind))
    assert caught.value.diag.constraint_name == "settings_fit_the_kind"


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("subflow_slug = 'child' where step_slug = 'a'", "only_subflow_steps_name_a_subflow"),
        ("subflow_slug = null where step_slug = 's'", "subflow_steps_name_a_subflow"),
        (
            """settings = '{"on_failure": "s"}' where step_slug = 's'""",
            "failure_step_is_another_step",
        ),
    ],
)
def test_plain_sql_is_held_to_what_one_row_can_tell(
    sql: Session, change: str, constraint: str
) -> None:
    sql(add("description => 'x'"))
    with pytest.raises(psycopg2.errors.CheckViolation, match=constraint):
        sql(f"update pgflow.steps set {change}")


def test_the_mode_of_a_subflow_is_one_of_two_and_that_of_no_other_step(sql: Session) -> None:
    sql(add("mode => 'run'"))
    assert sql.value("select pgflow.step_definitions('f') -> 2 ->> 'mode'") == "run"
    with pytest.raises(psycopg2.errors.CheckViolation, match="mode_is_valid"):
        sql("""update pgflow.steps set settings = '{"mode": "apart"}' where step_slug = 's'""")


PARAMS = (
    """params => '{"a": "$nodes.a[0].n and more", "b": ["$input"], "c": "Hi ${ $nodes.a.n }!"}'""",
    """params => '{"a": "$5", "b": "${HOME}", "c": "$$nodes.b", "d": "$nodes", "e": "$item s"}'""",
    """handler => 'pgflow.filter', params => '{"condition": "$item.x", "items": "$nodes.a"}'""",
    """params => '{"dagster-pgflow/names": {"a": "$nodes.b"}}'""",
)


@pytest.mark.parametrize("arguments", PARAMS)
def test_params_refer_to_dependencies_and_may_look_like_it(sql: Session, arguments: str) -> None:
    sql(add(arguments, kind="single"))


@pytest.mark.parametrize(
    ("arguments", "kind", "constraint", "told"),
    [
        (
            """params => '{"x": ["to ${$nodes.b.n}"]}'""",
            "single",
            "params_refer_to_dependencies",
            'has `$nodes.b.n` in its params, but does not depend on "b"; add it to deps_slugs.',
        ),
        (
            """params => '{"x": "$item.n"}'""",
            "single",
            "only_map_steps_have_elements",
            "has `$item.n` in its params, where there is no item; only those of a map step can",
        ),
        (
            """params => '{"x": "$nodes.a.n"}'""",
            "map",
            "params_refer_to_dependencies",
            "has `$nodes.a.n` in its params, but receives one element at a time; refer to $item",
        ),
    ],
)
def test_params_that_refer_to_what_is_not_there_are_refused(
    sql: Session, arguments: str, kind: str, constraint: str, told: str
) -> None:
    with pytest.raises(psycopg2.errors.CheckViolation) as refused:
        sql(add(arguments, kind=kind))
    assert refused.value.diag.constraint_name == constraint
    assert told in str(refused.value)


def test_params_of_a_map_step_refer_to_its_elements(sql: Session) -> None:
    sql(add("""params => '{"x": "$item.n", "y": "$input"}'""", kind="map"))
