from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.kinds import steps_keep_their_rules
from dagster_pgflow.validation.schemas import schemas_are_json_schemas
from tests.unit.validation.problems import problems_found


def test_a_branch_with_different_rules_is_sound() -> None:
    flow = Flow("f").branch("route", rules=[("output.a", "x"), ("output.b", ["x", "y"])])
    assert problems_found(steps_keep_their_rules, flow) == []


def test_a_branch_has_a_rule() -> None:
    flow = Flow("f").branch("route", rules=[], default_path="x").step("x", depends_on="route")
    assert problems_found(steps_keep_their_rules, flow) == [
        (
            "branch-without-rules",
            "steps.route.rules",
            (
                'Branch "route" has no rules; add one, which is a condition and the steps that it'
                " leads to, or make it a single step."
            ),
        )
    ]


def test_labels_are_short_and_each_is_that_of_one_rule() -> None:
    labels = [None, "a", "a", "", "x" * 201, "x" * 200, None]
    rules = [{"when": str(n), "then": "x", "label": text} for n, text in enumerate(labels)]
    flow = Flow("f").branch("route", rules=rules)
    assert problems_found(steps_keep_their_rules, flow) == [
        (
            "label-given-twice",
            "steps.route.rules[2].label",
            'rules[1] is called "a" too; give each rule of a branch a label of its own.',
        ),
        *(
            (
                "invalid-label",
                f"steps.route.rules[{index}].label",
                (
                    f"A label has 1 to 200 characters, this one has {length}; shorten it, or leave"
                    " it out."
                ),
            )
            for index, length in ((3, 0), (4, 201))
        ),
    ]


def test_the_schema_of_a_rule_is_a_json_schema() -> None:
    rule = {"when": "true", "then": "x", "output_schema": {"type": 5}}
    flow = Flow("f").branch("route", rules=[rule])
    [(code, path, _)] = problems_found(schemas_are_json_schemas, flow)
    assert (code, path) == ("invalid-schema", "steps.route.rules[0].output_schema.type")


def test_each_rule_leads_somewhere_and_is_given_once() -> None:
    rules = [("output.a", "x"), ("output.b", []), ("output.a", "y"), ("output.a", "z")]
    flow = Flow("f").branch("route", rules=rules)
    assert problems_found(steps_keep_their_rules, flow) == [
        (
            "rule-without-steps",
            "steps.route.rules[1].then",
            (
                "The rule `output.b` leads to no step and only hides the rules"
                " behind it; name a step in then, or leave the rule out: where no rule holds and"
                " there is no default_path, the path ends."
            ),
        ),
        (
            "rule-given-twice",
            "steps.route.rules[2].when",
            (
                "rules[0] has the same condition `output.a`, so this one never decides; put"
                " the steps of both into then of the first."
            ),
        ),
        (
            "rule-given-twice",
            "steps.route.rules[3].when",
            (
                "rules[0] has the same condition `output.a`, so this one never decides; put"
                " the steps of both into then of the first."
            ),
        ),
    ]
