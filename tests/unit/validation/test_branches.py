from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.branches import branches_have_rules
from tests.unit.validation.findings import findings


def test_a_branch_with_different_rules_is_sound() -> None:
    flow = Flow("f").branch("route", rules=[("output.a", "x"), ("output.b", ["x", "y"])])
    assert findings(branches_have_rules, flow) == []


def test_a_branch_has_a_rule() -> None:
    flow = Flow("f").branch("route", rules=[], default_path="x").step("x", depends_on="route")
    assert findings(branches_have_rules, flow) == [
        (
            "branch-without-rules",
            "steps.route.rules",
            (
                'Branch "route" has no rules; add one, which is a condition and the steps that it'
                " leads to, or make it a single step."
            ),
        )
    ]


def test_each_rule_leads_somewhere_and_is_given_once() -> None:
    rules = [("output.a", "x"), ("output.b", []), ("output.a", "y"), ("output.a", "z")]
    flow = Flow("f").branch("route", rules=rules)
    assert findings(branches_have_rules, flow) == [
        (
            "rule-without-steps",
            "steps.route.rules[1].then",
            (
                "The rule `output.b` leads to no step, so that all it does is to hide the rules"
                " behind it; name a step in then, or leave the rule out: where no rule holds and"
                " there is no default_path, the path ends."
            ),
        ),
        (
            "rule-given-twice",
            "steps.route.rules[2].when",
            (
                "rules[0] has the same condition `output.a`, so that this one never decides; put"
                " the steps of both into then of the first."
            ),
        ),
        (
            "rule-given-twice",
            "steps.route.rules[3].when",
            (
                "rules[0] has the same condition `output.a`, so that this one never decides; put"
                " the steps of both into then of the first."
            ),
        ),
    ]
