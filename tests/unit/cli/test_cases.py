"""`dagster-pgflow test`: cases in files, compared with what becomes of their runs."""

import json
from pathlib import Path

import pytest

from tests.postgres import Session
from tests.unit.cli.conftest import Cli

FLOW = """
slug: claim
steps:
  - {type: single, slug: assess}
  - type: branch
    slug: route
    depends_on: [assess]
    rules: [{when: output.score > flow_input.limit, then: [pay]}]
    default_path: [ask]
  - {type: single, slug: pay, depends_on: [route]}
  - {type: approval, slug: ask, depends_on: [route], prompt: "Pay?", deadline: 60,
     on_deadline: continue}
"""
CASES = """
- name: a good claim is paid, and asked for again when the assessor is busy
  input: {limit: 40}
  mock: {assess: {$attempts: [{$raises: busy}, {score: 90}]}, pay: {$returns: {$cents: 5}}}
  expect:
    status: completed
    output: {pay: {$cents: 5}}
    route: [assess, route, pay]
    steps: {ask: not_taken, pay: completed}
    attempts: {assess: 2}
- name: a bad claim waits for a person
  input: {limit: 40}
  mock: {assess: {score: 1}}
  expect: {status: waiting, steps: {ask: waiting, pay: skipped}}
- name: a person is heard
  input: {limit: 40}
  mock: {assess: {score: 1}}
  answers: {ask: {$answer: {fine: true}, $by: kim}}
  expect: {status: completed, steps: {ask: completed}}
- name: nobody answers
  input: {limit: 40}
  mock: {assess: {score: 1}}
  answers: {ask: {$deadline: passed}}
  expect: {status: completed}
- name: an assessor who refuses is not asked again
  input: {limit: 40}
  mock: {assess: {$raises: no claim, $retries: false}}
  expect: {status: failed, error: no claim, attempts: {assess: 1}}
"""
WRONG = """
- name: all of it is wrong
  input: {limit: 40}
  mock: {assess: {score: 50}, pay: {a: 1, b: 2}}
  expect:
    status: failed
    output: {pay: {a: 1, b: 3}}
    error: bang
    route: [assess, ask]
    steps: {ask: completed}
    outputs: {assess: {score: 51}}
    attempts: {pay: 2}
"""
ROUNDS = """
slug: rounds
steps:
  - {type: map, slug: price, options: {max_attempts: 2}}
  - {type: single, slug: try_it, depends_on: [price]}
  - {type: loop, slug: again, depends_on: [try_it], back_to: try_it, condition: output.more,
     max_iterations: 5}
"""
ROUNDS_CASES = """
- name: elements and iterations have numbers
  input: [1, 2]
  mock: {price: 1, "price[1]": {$attempts: [{$raises: busy}, 2]}, try_it: {more: false},
         "again[1].try_it": {more: true}}
  expect:
    steps: {"again[2].try_it": completed, "price[0]": completed, again: completed}
    outputs: {"price[1]": 2, price: [1, 2.0]}
    attempts: {"price[1]": 2, price: 3}
- name: where numbers are wrong or are missing
  input: [1, 1]
  mock: {price: 1, try_it: {more: false}, "again[1].try_it": {more: true}}
  expect:
    steps: {try_it: completed, "again[4].try_it": completed, "price[7]": completed}
    outputs: {"price[1]": true}
"""


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "claim.yaml").write_text(FLOW)
    (tmp_path / "good.yaml").write_text(CASES)
    (tmp_path / "wrong.yaml").write_text(WRONG)
    return tmp_path


def test_cases_say_mocks_attempts_answers_and_what_is_expected(
    offline_cli: Cli, files: Path
) -> None:
    result = offline_cli("test", "claim.yaml", "--case", "good.yaml")
    assert result.exit_code == 0, result.output
    assert [line[:6] for line in result.stdout.splitlines()] == 5 * ["ok    "] + ["5 case"]


def test_what_is_not_as_expected_is_shown_as_a_diff_and_explained(
    offline_cli: Cli, files: Path
) -> None:
    result = offline_cli("test", "claim.yaml", "--case", "wrong.yaml", "--explain")
    assert result.exit_code == 1
    assert result.stdout.startswith("FAIL  all of it is wrong\n")
    for line in (
        'status: expected "failed", found "completed"',
        "output: expected what has a -, found what has a +",
        '-    "b": 3',
        '+    "b": 2',
        'error: expected one with "bang" in it, found null',
        'route: the run did not go through "ask" after assess; it went through assess, route, pay',
        'steps.ask: expected "completed", found "skipped, not_taken"',
        "outputs.assess: expected what has a -, found what has a +",
        "attempts.pay: expected 2, found 1",
        "`output.score > flow_input.limit` is true (output.score is 50; flow_input.limit is 40)",
        "route: begin -> assess, assess -> route, route -> pay, pay -> end",
    ):
        assert f" {line}\n" in result.stdout, line


def test_what_a_run_did_not_come_to_or_came_to_often_is_said(offline_cli: Cli, files: Path) -> None:
    (files / "rounds.yaml").write_text(ROUNDS)
    (files / "cases.yaml").write_text(ROUNDS_CASES)
    result = offline_cli("test", "rounds.yaml", "--case", "cases.yaml")
    several = (
        "the run has that step at several places; say which, such as"
        ' "again[1].try_it" or "again[2].try_it"'
    )
    assert result.stderr == ""
    assert [line.strip() for line in result.stdout.splitlines()] == [
        "ok    elements and iterations have numbers",
        "FAIL  where numbers are wrong or are missing",
        "steps.try_it: " + several,
        "steps.again[4].try_it: the run did not come to it",
        "steps.price[7]: the run did not come to it",
        "outputs.price[1]: expected true, found 1",
        "2 cases, 1 not as expected.",
    ]


def test_programs_get_what_is_expected_and_what_was_found(offline_cli: Cli, files: Path) -> None:
    result = offline_cli("test", "claim.yaml", "--case", "wrong.yaml", "--json")
    [case] = json.loads(result.stdout)
    assert (result.exit_code, case["is_good"], case["status"]) == (1, False, "completed")
    found = {one["what"]: (one["expected"], one["found"]) for one in case["discrepancies"]}
    assert found["outputs.assess"] == ({"score": 51}, {"score": 50})
    assert found["route"] == (["assess", "ask"], ["assess", "route", "pay"])


def test_a_stored_flow_is_tested_with_the_flows_that_it_contains_and_nothing_is_stored(
    cli: Cli, files: Path, sql: Session
) -> None:
    sql("select pgflow.create_flow('inner'), pgflow.add_step('inner', 'work')")
    sql("select pgflow.create_flow('outer')")
    sql("select pgflow.add_step('outer', 'sub', step_type => 'subflow', subflow_slug => 'inner')")
    (files / "outer.json").write_text(
        json.dumps(
            [{"name": "it", "mock": {"sub.work": 7}, "expect": {"output": {"sub": {"work": 7}}}}]
        )
    )
    result = cli("test", "outer", "--case", "outer.json")
    assert result.exit_code == 0, result.output
    assert sql.value("select count(*) from pgflow.runs") == 0


@pytest.mark.parametrize(
    ("cases", "said"),
    [
        (
            "- {name: a, expect: {stauts: failed}}",
            'cases.0.expect.stauts: There is no such field here ("status" may be meant);',
        ),
        (
            "- {name: a, mocks: {}, expect: {}}",
            'cases.0.mocks: There is no such field here ("mock"',
        ),
        ("- {name: a}", "cases.0.expect: This field is required; add it."),
        (
            "- {name: a, expect: {status: complete}}",
            "cases.0.expect.status: 'complete' is none of these (\"completed\" may be meant):",
        ),
        (
            "- {name: a, expect: {steps: {ask: nottaken}}}",
            "cases.0.expect.steps.ask: 'nottaken' is none of these (\"not_taken\" may be meant):",
        ),
        ("[]", "cases: "),
        ("- {name: a, expect: {}}\n- {name: a, expect: {}}", 'two cases called "a"'),
        ("- {name: a, expect: {}}\n---\n- {name: b, expect: {}}", "2 documents"),
        ("{", "This is not YAML"),
    ],
)
def test_a_file_without_cases_is_refused_with_all_that_is_wrong(
    cases: str, said: str, offline_cli: Cli, files: Path
) -> None:
    (files / "bad.yaml").write_text(cases)
    result = offline_cli("test", "claim.yaml", "--case", "bad.yaml")
    assert (result.exit_code, result.stdout) == (1, "")
    assert said in result.stderr


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("mock: {asses: 1}", "assess"),
        ("mock: {assess: {$raise: x}}", "$raise; write {$raises: text}"),
        ("answers: {ask: {$by: kim}}", "{$deadline: passed}"),
        ("expect: {route: [asess]}", 'expect.route names "asess", and flow "claim" has no such'),
        ("expect: {outputs: {asess: 1}}", '"assess" may be meant'),
        ("expect: {attempts: {pai: 1}}", '"pay" may be meant'),
        ("expect: {steps: {ask1: waiting, payy: skipped}}", 'names "payy"'),
    ],
)
def test_a_case_that_cannot_run_fails_alone(
    case: str, said: str, offline_cli: Cli, files: Path
) -> None:
    more = "" if "expect:" in case else ", expect: {}"
    mocked = "" if "mock:" in case else ", mock: {assess: {score: 1}}"
    (files / "bad.yaml").write_text(f"- {{name: bad, input: {{limit: 1}}, {case}{more}{mocked}}}")
    result = offline_cli("test", "claim.yaml", "--case", "bad.yaml", "--case", "good.yaml")
    assert result.exit_code == 1
    assert result.stdout.startswith("FAIL  bad\n")
    assert said in result.stdout
    assert result.stdout.endswith("6 cases, 1 not as expected.\n")


def test_with_only_mocks_a_case_that_comes_to_a_handler_without_one_fails(
    offline_cli: Cli, files: Path
) -> None:
    (files / "ours.py").write_text(
        "from dagster_pgflow import handler\n@handler\ndef assess(_): return {'score': 1}"
    )
    (files / "some.yaml").write_text(
        "- {name: not so, input: {limit: 1}, only_mocks: true, expect: {}}\n"
        "- {name: as asked, input: {limit: 1}, expect: {}}\n"
        "- {name: as ever, input: {limit: 1}, only_mocks: false, expect: {status: waiting}}\n"
    )
    said = "test", "claim.yaml", "--case", "some.yaml", "--handlers", "ours"
    result = offline_cli(*said)
    refused = (
        "      The run came to assess without a mock, and only_mocks lets no handler be called;"
    )
    assert result.stdout.startswith(f"FAIL  not so\n{refused}")
    assert result.stdout.endswith("3 cases, 1 not as expected.\n")
    result = offline_cli(*said, "--only-mocks")
    assert result.stdout.count(refused) == 2
    assert "ok    as ever\n" in result.stdout
