"""Why a step was skipped, and why a run went the way it did: in Dagster's log and in the rows."""

import json
from typing import Any

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.reports import to_json
from dagster_pgflow.store.run_status import RunStatusReader
from tests.execution.projecting import World, assert_log_is_sound, world

__all__ = ["world"]


def fail(_given: Any) -> None:
    raise ValueError("no stamps")


HANDLERS: dict[str, Any] = {"echo": lambda given: given, "fail": fail}
HOSTILE = {
    "long": "x" * 1_000_000,
    "text": '<img src=x onerror="alert(1)">\n\x1b[31m\u202e',
    "password": "hunter2",
    "nothing": None,
    "n": 5,
}


def told(world: World, run_id: Any) -> list[str]:
    entries = world.instance.all_logs(str(run_id))
    return [entry.user_message for entry in entries if entry.user_message.startswith('Step "')]


def why(world: World, flow: Flow, given: Any) -> dict[str, Any]:
    """Run a flow; return by path what its rows say, those that say something."""
    world.define(flow)
    dagster_run_id = world.run(flow.slug, HANDLERS, given)
    world.settle()
    assert_log_is_sound(world, dagster_run_id)
    return {path: said for path, said in world.by_path("why").items() if said is not None}


def test_rows_say_why_a_step_was_skipped_and_so_do_those_behind_it(world: World) -> None:
    flow = (
        Flow("parcel", max_attempts=1)
        .step("weigh", "echo")
        .step(
            "van",
            "echo",
            depends_on="weigh",
            run_if="input.weigh.grams >= 1000",
            when_unmet="skip-cascade",
        )
        .step("signature", "echo", depends_on="van")
        .step("thanks", "echo", depends_on="signature")
        .step("stamp", "fail", depends_on="weigh", when_exhausted="skip")
        .join("both", depends_on=["van", "weigh"], wait=2)
    )
    condition = "run_if `input.weigh.grams >= 1000` is false (input.weigh.grams is 20)"
    said = why(world, flow, {"grams": 20})
    stamp = said.pop("stamp")
    assert stamp.startswith('its last attempt failed: Handler "fail" of step "stamp" (flow')
    assert "ValueError: no stamps (" in stamp
    assert said == {
        "van": condition,
        "signature": f'"van" was skipped since {condition}',
        "thanks": f'"van" was skipped since {condition}',
        "both": '"both" waits for dependencies to complete, at least 2, and 1 completed',
    }
    rows = world.by_path("skip_reason")
    assert (rows["van"], rows["signature"]) == ("condition_unmet", "dependency_skipped")


BIG = "`output.amount > 80` is"
AMOUNT = "output.amount is"
TEN = f"({AMOUNT} 10)"
IN_DOUBT = "`output.amount > 40` is"


@pytest.mark.parametrize(
    ("amount", "route"),
    [
        (95, f'goes on with "pay", "note" since {BIG} true ({AMOUNT} 95)'),
        (
            50,
            f'goes on with "review", on its route "in doubt", since {IN_DOUBT} true ({AMOUNT} 50)',
        ),
        (
            10,
            f'goes on with "refuse", by default, since {BIG} false {TEN}, {IN_DOUBT} false {TEN}',
        ),
    ],
)
def test_a_branch_says_which_route_it_takes_and_why(world: World, amount: int, route: str) -> None:
    flow = (
        Flow("claim")
        .branch(
            "way",
            rules=[
                ("output.amount > 80", ["pay", "note"]),
                {"when": "output.amount > 40", "then": "review", "label": "in doubt"},
            ],
            default_path="refuse",
        )
        .step("pay", "echo", depends_on="way")
        .step("note", "echo", depends_on="way")
        .step("review", "echo", depends_on="way")
        .step("refuse", "echo", depends_on="way")
        .join("done", depends_on=["pay", "review", "refuse"])
    )
    said = why(world, flow, {"amount": amount})
    assert said.pop("way") == route
    assert set(said.values()) == {'"way" does not lead to it in this run'}
    assert said.keys() == {
        path for path, status in world.by_path("status").items() if status == "skipped"
    }
    row = world.one("runs")
    assert f'Step "way" {route}.' in told(world, row["dagster_run_id"])
    [taken] = world.sql.column(
        "select event_data ->> 'why' from pgflow.event_log where event_type = 'branch.taken'"
    )
    assert taken == route
    [shown] = [
        output.metadata["route"].value
        for entry in world.instance.all_logs(str(row["dagster_run_id"]))
        if entry.dagster_event is not None and entry.dagster_event.is_successful_output
        for output in [entry.dagster_event.step_output_data]
        if output.output_name == "result" and "route" in output.metadata
    ]
    assert shown == route


def test_a_branch_that_leads_nowhere_says_so_and_so_does_one_that_is_skipped(world: World) -> None:
    flow = (
        Flow("quiet")
        .branch("nowhere", rules=[("output.go", "far")])
        .step("far", "echo", depends_on="nowhere")
        .branch("off", rules=[("true", "away")], run_if="input.go")
        .step("away", "echo", depends_on="off")
    )
    off = "run_if `input.go` is false (input.go is false)"
    assert why(world, flow, {"go": False}) == {
        "nowhere": "goes on with no step, by default, since `output.go` is false (output.go is"
        " false)",
        "far": '"nowhere" does not lead to it in this run',
        "off": off,
        "away": f'"off" was skipped since {off}',
    }


@pytest.mark.parametrize("rounds", [2, 9])
def test_a_loop_says_why_it_goes_round_again_and_why_it_ends(world: World, rounds: int) -> None:
    flow = (
        Flow("essay")
        .step("draft", "echo")
        .loop(
            "good",
            back_to="draft",
            condition="ctx.iteration < flow_input.rounds",
            max_iterations=3,
            break_path="publish",
            timeout_path="give_up",
            depends_on="draft",
        )
        .step("publish", "echo", depends_on="good")
        .step("give_up", "echo", depends_on="good")
    )
    said = why(world, flow, {"rounds": rounds})
    condition = "`ctx.iteration < flow_input.rounds` is"

    def values(n: int) -> str:
        return f"(ctx.iteration is {n}; flow_input.rounds is {rounds})"

    assert said["good[1].good"] == (
        f"goes round again after iteration 1 of 3 since {condition} true {values(1)}"
    )
    assert said["good"] == (
        f"ends after iteration 2 of 3, since {condition} false {values(2)}, and goes on with"
        ' "publish"'
        if rounds == 2
        else f"ends after iteration 3 of 3, though {condition} true {values(3)}, and goes on with"
        ' "give_up"'
    )


def test_no_value_does_anything_where_it_is_told(world: World) -> None:
    flow = (
        Flow("hostile")
        .step("long", "echo", run_if="input.long == ''")
        .step("text", "echo", run_if="input.text == ''")
        .step("word", "echo", run_if="input.password == ''")
        .step("nothing", "echo", run_if="input.nothing != null")
        .step("all", "echo", if_={"n": {"m": 1}})
        .step("gone", "echo", run_if="input.gone > 1 && input.n == 5")
        .step("lines", "echo", run_if="input.n\n   > 10")
        .step("much", "echo", run_if=f"input.n in [{', '.join(['1'] * 400)}]")
    )
    said = why(world, flow, HOSTILE)
    assert said["long"].endswith("… (1,000,000 characters))")
    assert said["text"].endswith(r'<img src=x onerror=\"alert(1)\">\n\u001b[31m\u202e"' + ")")
    assert said["word"] == "run_if `input.password == ''` is false (input.password is ***)"
    assert said["nothing"].endswith("(input.nothing is null)")
    assert said["all"] == 'its input does not contain {"n": {"m": 1}} (input.n is 5)'
    assert said["gone"].endswith('(there is no key "gone"; input.n is 5)')
    assert said["lines"] == "run_if `input.n > 10` is false (input.n is 5)"
    assert said["much"].endswith("…` is false (input.n is 5)")
    assert all(len(one) <= 503 and one.isprintable() for one in said.values())
    logged = json.dumps(told(world, world.one("runs")["dagster_run_id"]))
    assert "hunter2" not in logged + json.dumps(said)


def test_what_is_told_of_a_run_is_in_its_status_and_can_be_read_as_data(world: World) -> None:
    flow = Flow("short").step("never", "echo", run_if="input.n > 1")
    why(world, flow, {"n": 1})
    [step] = RunStatusReader(world.database).report(world.one("runs")["run_id"]).steps
    assert step.why == "run_if `input.n > 1` is false (input.n is 1)"


def test_a_run_of_older_code_says_why_nowhere_and_is_read_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def as_older_code(report: Any) -> dict[str, Any]:
        told = to_json(report)
        told.pop("why", None)
        return told

    monkeypatch.setattr("dagster_pgflow.dagster_log.op_reports.to_json", as_older_code)
    flow = (
        Flow("old")
        .step("never", "echo", run_if="input.n > 1")
        .branch("way", rules=[("true", "one")], default_path="two")
        .step("one", "echo", depends_on="way")
        .step("two", "echo", depends_on="way")
    )
    assert why(world, flow, {"n": 1}) == {}
    assert world.by_path("skip_reason") == {
        "never": "condition_unmet",
        "one": None,
        "two": "not_taken",
        "way": None,
    }
