from dagster_pgflow.model.flow import Flow
from dagster_pgflow.validation.subflows import subflows_exist_and_end
from tests.unit.validation.problems import places, problems_found

PAYMENT = Flow("payment").step("charge")


def test_a_subflow_that_exists_is_no_problem() -> None:
    flow = Flow("order").subflow("one", PAYMENT).subflow("two", PAYMENT)
    assert problems_found(subflows_exist_and_end, flow, {"payment": PAYMENT}) == []


def test_a_subflow_that_does_not_exist_is_a_problem() -> None:
    assert problems_found(subflows_exist_and_end, Flow("order").subflow("pay", "payment"), {}) == [
        (
            "unknown-subflow",
            "steps.pay.flow",
            'Step "pay" runs flow "payment", which does not exist; create that flow first.',
        )
    ]


def test_names_of_subflows_are_not_checked_where_no_flows_are_known() -> None:
    assert problems_found(subflows_exist_and_end, Flow("order").subflow("pay", "payment")) == []


def test_a_flow_that_runs_itself_is_a_problem_even_where_no_flows_are_known() -> None:
    flow = Flow("a").subflow("s", "a")
    for known in (None, {}, {"a": Flow("a")}):
        assert problems_found(subflows_exist_and_end, flow, known) == [
            ("recursive-subflow", "steps", "The flow contains itself: a -> a.")
        ]


def test_a_flow_that_reaches_itself_is_a_problem_that_prints_the_way() -> None:
    known = {"b": Flow("b").subflow("s", "c"), "c": Flow("c").step("x").subflow("s", "a")}
    [(code, _, message)] = problems_found(
        subflows_exist_and_end, Flow("a").subflow("s", "b"), known
    )
    assert code == "recursive-subflow"
    shown = message.removeprefix("The flow contains itself: ").removesuffix(".").split(" -> ")
    assert shown[0] == shown[-1]
    assert set(shown) == {"a", "b", "c"}


def test_the_new_definition_counts_and_not_the_stored_one_that_it_replaces() -> None:
    stored = {"a": Flow("a").subflow("s", "b"), "b": Flow("b").subflow("s", "a")}
    assert problems_found(subflows_exist_and_end, Flow("a").step("x"), stored) == []


def test_a_cycle_of_other_flows_is_not_a_problem_of_this_one() -> None:
    known = {"b": Flow("b").subflow("s", "c"), "c": Flow("c").subflow("s", "b")}
    assert places(subflows_exist_and_end, Flow("a").subflow("s", "b"), known) == []
