from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.handlers import handlers_have_names
from tests.unit.validation.problems import problems_found


def test_a_handler_that_is_named_has_a_name() -> None:
    assert problems_found(handlers_have_names, Flow("f").step("a", "mine").step("b")) == []
    assert problems_found(handlers_have_names, Flow("f").step("a", "").join("j")) == [
        (
            "invalid-handler",
            "steps.a.handler",
            (
                'Step "a" names a handler without a name; name one, or leave handler out: then it'
                ' is "f.a" or "a".'
            ),
        )
    ]
