"""status."""

import json
from uuid import UUID

import pytest

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.flows import FlowBuilder
from dagster_pgflow.store.requests import Requests
from tests.postgres import Session
from tests.unit.cli.conftest import Cli

RUN = "11111111-2222-3333-4444-555555555555"
OTHER = "11119999-2222-3333-4444-555555555555"


@pytest.fixture
def flows(cli: Cli) -> Cli:
    cli("load", "--examples")
    return cli


def test_the_latest_runs_are_listed(flows: Cli) -> None:
    assert "There are no runs yet" in flows("status").stdout
    flows("start", "ai_workflow", "--run-id", RUN)
    assert RUN[:8] in flows("status").stdout
    assert [run["status"] for run in json.loads(flows("status", "--json").stdout)] == ["queued"]


def test_a_run_is_found_by_the_first_digits_of_its_id(flows: Cli) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    flows("start", "ai_workflow", "--run-id", OTHER)
    assert RUN in flows("status", RUN[:6]).stdout
    assert "More than one run id begins with 1111" in flows("status", "1111").stderr
    assert "There is no run 2222" in flows("status", "2222").stderr
    assert '"x%" is not a run id' in flows("status", "x%").stderr


def test_a_run_is_found_by_the_id_that_dagster_gave_it(flows: Cli, sql: Session) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    sql("update pgflow.runs set dagster_run_id = %s", OTHER)
    assert UUID(json.loads(flows("status", OTHER, "--json").stdout)["run"]["run_id"]) == UUID(RUN)


def test_a_run_shows_its_steps_and_subruns_as_a_tree(flows: Cli, sql: Session) -> None:
    flows("start", "order", "--run-id", RUN, "--input", ORDER)
    sql(
        "insert into pgflow.subruns (parent_run_id, parent_step_slug, subflow_slug, run_index,"
        " subrun_index, subrun_path, status) select id, 'payment', 'payment', 1, 1, '1', 'failed'"
        " from pgflow.runs"
    )
    sql(
        "insert into pgflow.step_states (run_id, step_path, step_slug, flow_slug, subrun_id,"
        " step_type, status, started_at, completed_at, error_message)"
        " select %s, path, slug, flow, case when path like '%%.%%' then subrun_id end, type,"
        " step.status, now() + make_interval(secs => number), now(), error"
        " from pgflow.subruns, (values"
        " (1, 'prepare', 'prepare', 'order', 'single', 'completed', null),"
        " (2, 'payment', 'payment', 'order', 'subflow', 'failed', null),"
        " (3, 'payment.charge', 'charge', 'payment', 'single', 'failed', 'No money.'),"
        " (4, 'confirm', 'confirm', 'order', 'single', 'cancelled', null)"
        " ) as step (number, path, slug, flow, type, status, error)",
        RUN,
    )
    lines = [line.strip() for line in flows("status", RUN).stdout.splitlines()]
    begins = [line[:14].rstrip() for line in lines if line.startswith(("├", "└", "│"))]
    assert begins == ["├─ prepare", "├─ payment", "│  └─ charge", "└─ confirm"]
    assert any("subrun 1 of flow payment" in line for line in lines)
    assert any("No money." in line for line in lines)


def test_steps_stand_in_the_order_of_their_flow(flows: Cli, sql: Session) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    sql(
        "insert into pgflow.step_states (run_id, step_path, step_slug, flow_slug, step_type,"
        " status, started_at) select"
        " %s, slug, slug, 'ai_workflow', 'single', 'started', now() - make_interval(mins => n)"
        " from (values ('save', 3), ('process', 2), ('fetch', 1)) as step (slug, n)",
        RUN,
    )
    # A later version does not count: the run has the one that its log names.
    sql(
        "insert into pgflow.event_log (event_id, run_id, sequence_num, event_type, timestamp,"
        " event_data) select gen_random_uuid(), %s, 1, 'run.queued', now(),"
        " jsonb_build_object('watermark', max(version_id)) from pgflow.flow_versions",
        RUN,
    )
    sql("select pgflow.delete_flow('ai_workflow', force => true)")
    report = json.loads(flows("status", RUN, "--json").stdout)
    assert [step["step_path"] for step in report["steps"]] == ["fetch", "process", "save"]


def test_runs_are_chosen_by_flow_and_status(flows: Cli, sql: Session) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    flows("start", "measure_docs", "--run-id", OTHER, "--input", '{"folder": "x"}')
    sql("update pgflow.runs set status = 'failed' where run_id = %s", OTHER)

    def chosen(*options: str) -> list[str]:
        return [run["run_id"] for run in json.loads(flows("status", "--json", *options).stdout)]

    assert chosen("--flow", "ai_workflow") == [RUN]
    assert chosen("--status", "failed") == [OTHER]
    assert chosen("--flow", "ai_workflow", "--status", "failed") == []
    none = flows("status", "--flow", "order")
    assert (none.exit_code, none.stdout) == (0, "There are no such runs.\n")
    assert 'There is no flow "nope"' in flows("status", "--flow", "nope").stderr


@pytest.mark.parametrize(
    "arguments", [["--limit", "0"], ["--status", "done"], [RUN, "--flow", "order"]]
)
def test_what_makes_no_sense_is_a_usage_error(offline_cli: Cli, arguments: list[str]) -> None:
    result = offline_cli("status", *arguments)
    assert (result.exit_code, result.stdout) == (2, "")


def test_a_run_that_goes_on_with_another_says_so(flows: Cli, sql: Session) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    sql("update pgflow.runs set retry_of = %s", OTHER)
    assert f"retry of {OTHER[:8]}" in flows("status").stdout
    assert f"Retry of run {OTHER}" in flows("status", RUN).stdout


def test_a_run_counts_what_it_has_done_and_how_often_its_loops_went_round(
    flows: Cli, sql: Session
) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    assert "executed" not in flows("status", RUN).stdout
    sql(
        f"""
        insert into pgflow.step_states (run_id, step_path, step_slug, flow_slug, step_type, status)
        values ('{RUN}', 'again', 'again', 'f', 'loop', 'started');
        insert into pgflow.loop_state (
          run_id, loop_path, current_iteration, max_iterations, status, started_at
        ) values ('{RUN}', 'again', 2, 4, 'started', now());
        insert into pgflow.run_statistics values ('{RUN}', 9, 8, 5, 1, 0, 1, 70, 1, 1, 5);
        insert into pgflow.run_counter_snapshots values ('{RUN}', 20, 1, now());
        """
    )
    under_way = flows("status", RUN).stdout
    assert "Steps:  5 executed, 1 failed, 1 retry, 1 token left" in under_way
    assert "iteration 2 of 4" in under_way
    sql("update pgflow.run_statistics set nodes_failed = 0, nodes_skipped = 3, retries = 2")
    sql("update pgflow.run_counter_snapshots set counter = 0")
    sql(
        "update pgflow.loop_state set status = 'completed', ended_by = 'timeout',"
        " current_iteration = 4, completed_at = now()"
    )
    over = flows("status", RUN).stdout
    assert "Steps:  5 executed, 3 skipped, 2 retries, 0 tokens left" in over
    assert "4 of 4 iterations, timeout" in over
    report = json.loads(flows("status", RUN, "--json").stdout)
    assert (report["counts"]["tokens_left"], report["steps"][0]["iteration"]) == (0, 4)


ORDER = json.dumps(
    {
        "order_id": "1",
        "lines": [{"item": "coffee", "price": 1250}],
        "card_number": "4111 1111 1111 1111",
        "expires": "12/39",
    }
)


def test_a_run_that_waits_says_for_what(cli: Cli, builder: FlowBuilder, requests: Requests) -> None:
    builder.define_flow(Flow("limited", max_concurrent_runs=1).step("a"))
    first, second = requests.start("limited", priority=7), requests.start("limited")
    requests.hand_over([first])
    assert (
        'Waits:  flow "limited" has 1 of at most 1 under way' in cli("status", str(second)).stdout
    )
    assert "Waits:  Dagster was asked to start it" in cli("status", str(first)).stdout


def test_what_a_webhook_was_told_of_a_run_is_shown_and_troubles_are_something_to_look_at(
    cli: Cli, sql: Session, builder: FlowBuilder
) -> None:
    hook = {"url": "https://example.org/hook", "secret": "mine"}
    builder.define_flow(Flow("f", on_event=hook).step("s", handler="h"))
    cli("start", "f", "--run-id", RUN)
    assert "Webhook" not in cli("status", RUN).stdout
    sql("update pgflow.runs set status = 'completed', updated_at = clock_timestamp()")
    assert "Webhook: run.completed is to be sent" in cli("status", RUN).stdout
    assert "Webhooks" not in cli("doctor").stdout
    note = "select pgflow.note_delivery(delivery_id, 1, %s, %s) from pgflow.webhook_deliveries"
    sql("select from pgflow.claim_deliveries(1)")
    sql(note, 500, "It answered 500.")
    assert "Webhook: run.completed is sent again at " in cli("status", RUN).stdout
    assert "f: 1 to be sent again or late, 0 given up within a day. It answered 500." in (
        cli("doctor").stdout
    )
    sql("update pgflow.webhook_deliveries set attempts = 15")
    sql(note.replace(", 1,", ", 15,"), 500, "It answered 500.")
    given_up = "Webhook: run.completed was given up after 15 attempts. It answered 500."
    assert given_up in cli("status", RUN).stdout
    [told] = json.loads(cli("status", RUN, "--json").stdout)["deliveries"]
    assert (told["status"], told["answer"]) == ("given_up", 500)


def test_a_run_says_why_steps_were_skipped_and_why_it_went_its_way(
    flows: Cli, sql: Session
) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    sql(
        "insert into pgflow.step_states (run_id, step_path, step_slug, flow_slug, step_type,"
        " status, skip_reason, why) values"
        " (%s, 'van', 'van', 'f', 'single', 'skipped', 'condition_unmet', %s),"
        " (%s, 'way', 'way', 'f', 'branch', 'completed', null, 'goes on with \"one\" [/red]'),"
        " (%s, 'old', 'old', 'f', 'single', 'skipped', 'not_taken', null)",
        RUN,
        "run_if `input.n > 10` is false (input.n is 5)",
        RUN,
        RUN,
    )
    shown = flows("status", RUN).stdout
    assert "  van: skipped, run_if `input.n > 10` is false (input.n is 5)\n" in shown
    assert '  way: goes on with "one" [/red]\n' in shown
    assert "  old: " not in shown
    assert "not taken" in shown
    report = json.loads(flows("status", RUN, "--json").stdout)
    assert {step["step_path"]: step["why"] for step in report["steps"]} == {
        "van": "run_if `input.n > 10` is false (input.n is 5)",
        "way": 'goes on with "one" [/red]',
        "old": None,
    }


def test_of_a_run_with_very_many_reasons_the_first_are_shown(flows: Cli, sql: Session) -> None:
    flows("start", "ai_workflow", "--run-id", RUN)
    sql(
        "insert into pgflow.step_states (run_id, step_path, step_slug, flow_slug, step_type,"
        " status, skip_reason, why) select %s, 's' || n, 's' || n, 'f', 'single', 'skipped',"
        " 'condition_unmet', 'reason ' || n from generate_series(1, 50) as n",
        RUN,
    )
    shown = flows("status", RUN).stdout
    assert shown.count(": skipped, reason ") == 30
    assert "and 20 more; see the column why of pgflow.step_states." in shown
