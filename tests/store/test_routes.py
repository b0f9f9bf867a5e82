"""Branches, joins and loops that are added step by step, and those of plain SQL."""

import re
from typing import Any

import psycopg2
import psycopg2.errors
import pytest

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.validation.validate import validate
from tests.postgres import Session

RULES = """[{"when": "output.score > 80", "then": ["pay", "note"]}]"""
DEFAULT_TO_Z = """
    update pgflow.steps set settings = settings || '{"default_path": ["z"]}'
    where step_slug = 'route'"""
LOOP = "step_type => 'loop', condition => '$.more', max_iterations => 3"


@pytest.fixture(autouse=True)
def flows(sql: Session) -> None:
    """A branch whose targets are still to come, and a loop around two steps."""
    sql("select pgflow.create_flow('child'), pgflow.add_step('child', 'one')")
    sql("select pgflow.create_flow('f'), pgflow.add_step('f', 'a')")
    sql(
        step("route", "{a}", f"step_type => 'branch', rules => '{RULES}', default_path => '{{no}}'")
    )
    sql("select pgflow.create_flow('g'), pgflow.add_step('g', 'draft')")
    sql(step("judge", "{draft}", flow="g"))
    sql(step("again", "{judge}", f"{LOOP}, back_to => 'draft', break_path => '{{out}}'", "g"))


def step(slug: str, deps: str, more: str = "description => ''", flow: str = "f") -> str:
    return f"select pgflow.add_step('{flow}', '{slug}', '{deps}', {more})"


def test_what_a_branch_leads_to_is_added_after_it(sql: Session, builder: FlowBuilder) -> None:
    for slug in ("pay", "note", "no"):
        sql(step(slug, "{route}"))
    assert validate(builder.get_flow("f")) == ()
    assert sql.value("select status from pgflow.start_flow('f')") == "queued"


def test_the_row_of_a_step_says_where_it_leads(sql: Session) -> None:
    [branch] = sql("select * from pgflow.steps where step_slug = 'route'")
    [loop] = sql("select * from pgflow.steps where step_slug = 'again'")
    [other] = sql("select * from pgflow.steps where step_slug = 'judge'")
    assert "pay" in str(branch)
    assert "draft" in str(loop)
    assert "pay" not in str(other)
    assert sql.value("select pgflow.flow_definition('g') -> 'steps' -> 2") == {
        "type": "loop",
        "slug": "again",
        "depends_on": ["judge"],
        "back_to": "draft",
        "condition": "$.more",
        "max_iterations": 3,
        "break_path": ["out"],
    }


def test_the_same_step_again_is_returned_and_another_one_refused(sql: Session) -> None:
    same = f"step_type => 'branch', rules => '{RULES}'"
    sql(step("route", "{a}", f"{same}, default_path => '{{no}}'"))
    with pytest.raises(psycopg2.errors.UniqueViolation, match="differs in: default_path;"):
        sql(step("route", "{a}", same))
    rules = RULES.replace("80", "90")
    with pytest.raises(psycopg2.errors.UniqueViolation, match="differs in: rules;"):
        sql(
            step(
                "route",
                "{a}",
                f"step_type => 'branch', rules => '{rules}', default_path => '{{no}}'",
            )
        )
    with pytest.raises(psycopg2.errors.UniqueViolation, match="break_path, condition, max_iter"):
        sql(
            step(
                "again",
                "{judge}",
                "step_type => 'loop', back_to => 'draft', condition => 'true', max_iterations => 4",
                "g",
            )
        )


def test_a_join_is_found_again_whatever_form_its_number_has(
    sql: Session, builder: FlowBuilder
) -> None:
    sql(step("b", "{}"))
    sql(step("both", "{a,b}", "step_type => 'join'"))
    sql(step("both", "{b,a}", "step_type => 'join', wait => null"))
    assert builder.add_step("f", "both", ["a", "b"], step_type="join", wait="all").slug == "both"
    builder.add_step("f", "one", ["a", "b"], step_type="join", wait=1)
    sql(step("one", "{a,b}", "step_type => 'join', wait => '1'"))
    with pytest.raises(psycopg2.errors.UniqueViolation, match="differs in: wait;"):
        sql(step("one", "{a,b}", "step_type => 'join', wait => 'any'"))
    assert sql.value("select pgflow.flow_definition('f') -> 'steps' -> -1 -> 'wait'") == 1


@pytest.mark.parametrize("flow", ["f", "g"])
def test_a_flow_that_leads_to_nothing_cannot_start_and_leaves_no_request(
    sql: Session, flow: str
) -> None:
    told = {
        "f": 'step "route" of flow "f" leads to "pay", which does not exist; add it.',
        "g": 'step "again" of flow "g" leads to "out", which does not exist; add it.',
    }
    sql("select pgflow.create_flow('outer')")
    sql(step("inner", "{}", f"step_type => 'subflow', subflow_slug => '{flow}'", "outer"))
    for slug in (flow, "outer"):
        sentence = re.escape(f'Flow "{slug}" cannot start: {told[flow]}')
        with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match=sentence):
            sql(f"select pgflow.start_flow('{slug}')")
    assert sql.value("select count(*) from pgflow.runs") == 0


BRANCH = "step_type => 'branch', rules => '{}'"


@pytest.mark.parametrize(
    ("statement", "constraint", "told"),
    [
        (
            step("pay", "{a}"),
            "target_depends_on_what_leads_to_it",
            (
                'Step "pay" of flow "f" is what "route" leads to in rules[0].then, so it must'
                ' depend on it; add "route" to deps_slugs.'
            ),
        ),
        (
            step("no", "{}"),
            "target_depends_on_what_leads_to_it",
            'is what "route" leads to in default_path, so it must depend on it',
        ),
        (
            step("t", "{a}", "step_type => 'branch'"),
            "only_branch_steps_have_rules",
            (
                'Step "t" of flow "f" is a branch without rules; give it some, such as rules =>'
                """ '[{"when": "output.score > 80", "then": ["vip"]}]'."""
            ),
        ),
        (
            step("t", "{a}", BRANCH.format("{}")),
            "settings_have_their_types",
            'has the setting "rules", which must be a list.',
        ),
        (
            step("t", "{a}", BRANCH.format("[]")),
            "rules_are_a_list",
            "an empty list of rules; write",
        ),
        (
            step("t", "{a}", BRANCH.format("[1]")),
            "rules_have_their_types",
            'has rules[0], which is not an object with "when" and "then".',
        ),
        (
            step("t", "{a}", BRANCH.format('[{"when": "true", "then": ["u"], "else": []}]')),
            "rules_have_their_fields",
            'has rules[0], which has more than "when", "then", "label" and "output_schema".',
        ),
        (
            step("t", "{a}", BRANCH.format('[{"when": "1", "then": ["u"], "label": ""}]')),
            "labels_are_short",
            "has rules[0], which has a label that is empty or has more than 200 characters;",
        ),
        (
            step(
                "t",
                "{a}",
                BRANCH.format(
                    '[{"when": "a", "then": ["u"], "label": "x"},'
                    ' {"when": "b", "then": ["u"], "label": "x"}]'
                ),
            ),
            "each_label_is_one_rule",
            'has the label "x" in 2 rules; give each rule a label of its own',
        ),
        (
            step("t", "{a}", BRANCH.format('[{"when": " ", "then": ["u"]}]')),
            "rules_have_conditions",
            'has rules[0], which has no condition; write it as a text in "when".',
        ),
        (
            step("t", "{a}", BRANCH.format('[{"when": true, "then": ["u"]}]')),
            "rules_have_their_types",
            "which has no condition",
        ),
        (
            step("t", "{a}", BRANCH.format('[{"when": "true", "then": "u"}]')),
            "rules_have_their_types",
            'has rules[0], which has no list of steps in "then".',
        ),
        (
            step("t", "{a}", BRANCH.format('[{"when": "true", "then": ["u", 5]}]')),
            "rules_have_their_types",
            'has no list of steps in "then"',
        ),
        (
            step(
                "t",
                "{a}",
                BRANCH.format('[{"when": "a", "then": ["u"]}, {"when": "b", "then": []}]'),
            ),
            "rules_lead_to_steps",
            "has rules[1], which leads to no step and only hides the rules behind it; name",
        ),
        (
            step(
                "t",
                "{a}",
                BRANCH.format('[{"when": "a", "then": ["u"]}, {"when": "a", "then": ["v"]}]'),
            ),
            "each_condition_is_one_rule",
            "has the condition `a` in 2 rules, and only the first of them decides; put",
        ),
        (
            step("t", "{a}", f"rules => '{RULES}'"),
            "settings_fit_the_kind",
            'has the setting "rules", which no single step has; leave it out.',
        ),
        (
            step("t", "{a}", "default_path => '{u}'"),
            "settings_fit_the_kind",
            'has the setting "default_path", which no single step has',
        ),
        (
            step("t", "{a}", f"step_type => 'branch', rules => '{RULES}', default_path => '{{t}}'"),
            "target_is_another_step",
            "leads to itself in default_path; name a step that is added after it.",
        ),
        (
            step("t", "{a}", f"step_type => 'branch', rules => '{RULES}', default_path => '{{a}}'"),
            "target_comes_after_what_leads_to_it",
            'leads to "a" in default_path, which was added before it and so does not depend on it',
        ),
        (
            step("t", "{a}", f"step_type => 'branch', rules => '{RULES}', default_path => '{{1}}'"),
            "steps_step_slug_check",
            'leads to "1" in default_path, which is not a valid step slug.',
        ),
        (
            step(
                "t", "{a}", f"step_type => 'branch', rules => '{RULES}', default_path => '{{null}}'"
            ),
            "settings_have_their_types",
            'has the setting "default_path", which must be a list of texts.',
        ),
        (
            step(
                "t",
                "{a}",
                "step_type => 'subflow', subflow_slug => 'child', on_failure => 'no'",
            ),
            "target_is_no_failure_step",
            'goes on with "no" when it fails, which "route" leads to in default_path; name a step',
        ),
        (
            step("t", "{a}", "step_type => 'join'"),
            "join_brings_paths_together",
            "is a join of one dependency, and a join brings at least two paths together; add what",
        ),
        (
            step("t", "{a,route}", "step_type => 'join', wait => 'most'"),
            "wait_is_valid",
            'waits for "most" of its dependencies; say all, any, or a number from 1 to 2.',
        ),
        (
            step("t", "{a,route}", "step_type => 'join', wait => '9'"),
            "join_waits_for_what_there_is",
            "waits for 9 of 2 dependencies; say all, any, or a number from 1 to 2.",
        ),
        (
            step("t", "{a,route}", "wait => 'any'"),
            "settings_fit_the_kind",
            'has the setting "wait", which no single step has',
        ),
        (
            step("t", "{a,route}", "step_type => 'join', handler => 'h'"),
            "join_step_has_no_handler",
            "is a join, which has no handler, no params and no schemas; let a step behind it do",
        ),
        (
            step("t", "{a}", "back_to => 'a'"),
            "settings_fit_the_kind",
            'has the setting "back_to", which no single step has; leave it out.',
        ),
        (
            step("t", "{a}", "timeout_path => '{u}'"),
            "settings_fit_the_kind",
            'has the setting "timeout_path", which no single step has',
        ),
        (
            step("t", "{a}", "step_type => 'loop', back_to => 't', max_iterations => 3"),
            "only_loop_steps_go_back",
            "is a loop, which needs back_to, condition and max_iterations; give it all three.",
        ),
        (
            step("t", "{a}", f"{LOOP}, back_to => 'route'"),
            "loop_goes_back_to_a_step_before",
            'goes back to "route", which does not come before it; add that step first, and let the',
        ),
        (
            step("t", "{a}", f"{LOOP}, back_to => 't', run_if => 'true'"),
            "loop_step_has_no_condition",
            "is a loop, which decides after each iteration and cannot be left out of one; move its",
        ),
        (
            step("t", "{a}", f"{LOOP}, back_to => 't', when_exhausted => 'skip'"),
            "loop_step_is_never_skipped",
            "is a loop, which cannot be skipped when its handler fails; leave when_exhausted out.",
        ),
        (
            step("t", "{route}", f"{LOOP}, back_to => 'route'"),
            "loops_are_left_at_their_end",
            'repeats "route", which leads to "pay", and does not repeat that one; let the loop',
        ),
        (
            step("t", "{judge}", flow="g"),
            "loops_are_left_at_their_end",
            (
                'Step "t" of flow "g" depends on "judge", which loop "again" repeats; let it'
                ' depend on "again" instead, or add it before that loop, which then depends on it.'
            ),
        ),
        (
            step("t", "{again}", f"{LOOP}, back_to => 'judge'", "g"),
            "loops_lie_within_loops",
            'goes back to "judge" and shares steps with loop "again" without repeating all that it',
        ),
        (
            step("out", "{draft}", flow="g"),
            "target_depends_on_what_leads_to_it",
            'is what "again" leads to in break_path, so it must depend on it',
        ),
    ],
)
def test_any_other_way_is_refused_with_a_sentence_and_leaves_nothing(
    sql: Session, statement: str, constraint: str, told: str
) -> None:
    definitions = "select pgflow.flow_definition('f'), pgflow.flow_definition('g')"
    before = sql(definitions)
    with pytest.raises(psycopg2.errors.CheckViolation, match=re.escape(told)) as caught:
        sql(statement)
    assert caught.value.diag.constraint_name == constraint
    assert sql(definitions) == before


def test_what_a_loop_is_to_repeat_is_closed_when_it_is_added(sql: Session) -> None:
    sql("select pgflow.create_flow('h'), pgflow.add_step('h', 'one')")
    sql(step("aside", "{one}", flow="h"))
    with pytest.raises(psycopg2.errors.CheckViolation, match='step "aside" depends on that one'):
        sql(step("l", "{one}", f"{LOOP}, back_to => 'one'", "h"))
    inner = "step_type => 'subflow', subflow_slug => 'child', on_failure => 'm'"
    sql(step("try", "{one}", inner, "h"))
    with pytest.raises(psycopg2.errors.CheckViolation, match='repeats "try" and not "m"'):
        sql(step("l", "{aside,try}", f"{LOOP}, back_to => 'one'", "h"))
    sql(step("m", "{try}", flow="h"))
    sql(step("l", "{aside,try,m}", f"{LOOP}, back_to => 'one'", "h"))
    sql(step("l", "{aside,try,m}", f"{LOOP}, back_to => 'one'", "h"))
    sql(step("around", "{l}", f"{LOOP}, back_to => 'one'", "h"))


@pytest.mark.parametrize(
    ("change", "told", "code"),
    [
        ("delete from pgflow.deps where step_slug = 'no'", "does not depend on it", "not-behind"),
        (DEFAULT_TO_Z, "not exist", "unknown"),
    ],
)
def test_what_plain_sql_breaks_is_told_at_the_start_and_found_by_the_rules(
    sql: Session, builder: FlowBuilder, change: str, told: str, code: str
) -> None:
    for slug in ("pay", "note", "no"):
        sql(step(slug, "{route}"))
    sql(change)
    with pytest.raises(psycopg2.errors.ObjectNotInPrerequisiteState, match=told):
        sql("select pgflow.start_flow('f')")
    problems = validate(builder.get_flow("f"))
    assert [problem.code for problem in problems] == [f"target-{code}"]


def test_python_refuses_what_sql_cannot_know(builder: FlowBuilder) -> None:
    with pytest.raises(InvalidFlow, match=re.escape("steps.t.rules[0].when")):
        builder.add_step("f", "t", step_type="branch", rules=[{"when": "nope.x", "then": ["u"]}])
    for told, condition, most in (("condition", "1 +", 2), ("max_iterations", "true", 1001)):
        loop: Any = {"step_type": "loop", "condition": condition, "max_iterations": most}
        with pytest.raises(InvalidFlow, match=re.escape(f"steps.t.{told}")):
            builder.add_step("f", "t", back_to="t", **loop)


def test_rules_may_be_pairs_as_in_a_flow(builder: FlowBuilder, sql: Session) -> None:
    pairs = [("output.score > 80", ["pay", "note"])]
    builder.add_step("f", "route", ["a"], step_type="branch", rules=pairs, default_path="no")
    assert sql.value("select count(*) from pgflow.steps where flow_slug = 'f'") == 2
