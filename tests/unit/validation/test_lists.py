from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.steps.subflow import SubflowMode
from dagster_pgflow.validation.lists import subflows_run_over_lists
from tests.unit.validation.problems import places, problems_found

INNER = Flow("inner").step("x")


def outer(mode: SubflowMode = "inline") -> Flow:
    return Flow("outer").subflow("rows", "middle", over="$input", mode=mode)


def test_a_list_in_a_list_is_a_problem_that_names_the_inner_one_and_a_way_out() -> None:
    known = {
        "inner": INNER,
        "middle": Flow("middle").subflow("within", "deep"),
        "deep": Flow("deep").subflow("cells", INNER, over="$input"),
    }
    [(code, path, message)] = problems_found(subflows_run_over_lists, outer(), known)
    assert (code, path) == ("over-inside-over", "steps.rows.flow")
    assert 'step "cells" of flow "deep"' in message
    assert 'mode "run"' in message


def test_a_list_in_a_list_is_no_problem_where_the_inner_one_runs_apart() -> None:
    middle = Flow("middle").subflow("cells", INNER, over="$input", mode="run")
    assert places(subflows_run_over_lists, outer(), {"inner": INNER, "middle": middle}) == []


def test_nor_where_a_run_of_its_own_lies_between_them() -> None:
    middle = Flow("middle").subflow("cells", INNER, over="$input")
    known = {"inner": INNER, "middle": middle}
    assert places(subflows_run_over_lists, outer("run"), known) == []
    between = {**known, "middle": Flow("middle").subflow("apart", "deep", mode="run")}
    between["deep"] = Flow("deep").subflow("cells", INNER, over="$input")
    assert places(subflows_run_over_lists, outer(), between) == []
