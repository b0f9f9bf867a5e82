from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.lint.settings import settings_have_an_effect
from tests.unit.validation.problems import places, problems_found


def test_when_unmet_needs_a_condition() -> None:
    flow = Flow("f").step("a", when_unmet="fail").step("b", when_unmet="skip-cascade")
    assert places(settings_have_an_effect, flow) == [
        ("when-unmet-without-condition", "steps.a.when_unmet"),
        ("when-unmet-without-condition", "steps.b.when_unmet"),
    ]


def test_any_kind_of_condition_will_do() -> None:
    flow = Flow("f").step("a", if_={}, when_unmet="fail").step("b", if_not={}, when_unmet="fail")
    flow = flow.step("c", run_if="true", when_unmet="fail").step("d", when_unmet="skip")
    flow = flow.step("e", run_unless="true", when_unmet="skip-cascade")
    assert problems_found(settings_have_an_effect, flow) == []


def test_a_subflow_has_no_attempts_of_its_own() -> None:
    flow = Flow("f").subflow("s", "payment", timeout=9, max_attempts=1, when_exhausted="skip")
    assert problems_found(settings_have_an_effect, flow) == [
        (
            "setting-without-effect",
            "steps.s",
            (
                'Step "s" is a subflow, for which this has no effect: max_attempts, timeout,'
                ' when_exhausted; say it for flow "payment" or for steps of it.'
            ),
        )
    ]


def test_a_map_that_collects_errors_is_never_exhausted() -> None:
    flow = Flow("f").map("m", collect_errors=True, when_exhausted="skip").map("n", "h")
    assert problems_found(settings_have_an_effect, flow) == [
        (
            "setting-without-effect",
            "steps.m.when_exhausted",
            (
                'Map step "m" collects the errors of its elements, so it is never exhausted'
                " as a whole; leave when_exhausted or collect_errors out, or say max_failures."
            ),
        )
    ]
    flow = Flow("f").map("m", collect_errors=True).map("n", when_exhausted="skip")
    flow = flow.map("o", collect_errors=True, max_failures=1, when_exhausted="skip")
    assert problems_found(settings_have_an_effect, flow) == []


def test_a_plain_subflow_is_fine() -> None:
    flow = Flow("f", timeout=9).subflow("s", "payment", if_={"a": 1}, when_unmet="skip-cascade")
    assert problems_found(settings_have_an_effect, flow) == []
