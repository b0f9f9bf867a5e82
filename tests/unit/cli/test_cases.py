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
    steps: {ask: completed, nowhere: skipped}
    outputs: {assess: {score: 51}}
    attempts: {pay: 2}
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
        '- "failed"',
        '+ "completed"',
        '-    "b": 3',
        '- "bang"',
        "steps.ask",
        '+ "skipped, not_taken"',
        "steps.nowhere",
        "+ null",
        "outputs.assess",
        "attempts.pay",
        "`output.score > flow_input.limit` is true, with output.score = 50, flow_input.limit = 40",
        "route: begin -> assess, assess -> route, route -> pay, pay -> end",
    ):
        assert f" {line}\n" in result.stdout, line


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
        ("- {name: a, expect: {stauts: failed}}", "cases.0.expect.stauts"),
        ("- {name: a, mocks: {}, expect: {}}", "cases.0.mocks"),
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
    ],
)
def test_a_case_that_cannot_run_fails_alone(
    case: str, said: str, offline_cli: Cli, files: Path
) -> None:
    (files / "bad.yaml").write_text(f"- {{name: bad, {case}, expect: {{}}}}")
    result = offline_cli("test", "claim.yaml", "--case", "bad.yaml", "--case", "good.yaml")
    assert result.exit_code == 1
    assert result.stdout.startswith("FAIL  bad\n")
    assert said in result.stdout
    assert result.stdout.endswith("6 cases, 1 not as expected.\n")
