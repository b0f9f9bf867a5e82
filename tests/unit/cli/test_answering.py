"""waiting, answer and signal."""

import json
from pathlib import Path

import pytest

from tests.postgres import Session
from tests.store.steps_that_wait import let_pass, wait, waiting_run
from tests.unit.cli.conftest import Cli

FORM = {"type": "object", "properties": {"ok": {}, "why": {}}, "required": ["ok"]}


@pytest.fixture
def run_id(sql: Session) -> str:
    return waiting_run(sql, flow="expense")


def test_nothing_waits(cli: Cli) -> None:
    assert cli("waiting").stdout == "Nothing waits for an answer or a signal.\n"
    assert json.loads(cli("waiting", "--json").stdout) == []
    result = cli("waiting", "--flow", "nope")
    assert (result.exit_code, "nope" in result.stderr) == (1, True)


def test_what_waits_is_listed_with_what_it_asks(cli: Cli, sql: Session, run_id: str) -> None:
    wait(
        sql, run_id, prompt="Pay 900 €?", answer_schema=FORM, answerers=["ann", "finance"],
        seconds=3600,
    )  # fmt: skip
    wait(sql, run_id, "paid", "wait", signal="paid", key="A-1")
    wait(sql, run_id, "nap", "sleep", seconds=60)
    result = cli("waiting")
    [ask, paid] = [line for line in result.stdout.splitlines() if run_id[:8] in line]
    assert "expense" in ask
    assert "Pay 900 €?" in ask
    assert "object with ok, why?, by ann or finance" in ask
    assert "signal paid, key A-1" in paid
    assert "any JSON" in paid
    assert f"`dagster-pgflow answer {run_id[:8]} ask ANSWER`" in result.stderr
    [first, second] = json.loads(cli("waiting", "--json").stdout)
    assert (first["run_id"], first["answer_schema"], second["signal"]) == (run_id, FORM, "paid")
    assert len(json.loads(cli("waiting", "-n", "1", "--json").stdout)) == 1


def test_a_step_is_answered_once(cli: Cli, sql: Session, run_id: str) -> None:
    wait(sql, run_id, answer_schema=FORM)
    result = cli("answer", run_id[:8], "ask", '{"ok": true}', "--by", "ann")
    assert result.exit_code == 0
    assert f"Step ask of run {run_id} is answered, by ann at " in result.stdout
    assert sql("select answer, answered_by from pgflow.waits") == [({"ok": True}, "ann")]
    result = cli("answer", run_id[:8], "ask", '{"ok": false}')
    assert (result.exit_code, "answered before, by ann at" in result.stderr) == (1, True)


def test_an_answer_is_printed_as_json(cli: Cli, sql: Session, run_id: str) -> None:
    wait(sql, run_id, answerers=["finance"])
    told = json.loads(
        cli("answer", run_id, "ask", "[1]", "--by", "bob", "--as", "finance", "--json").stdout
    )
    assert (told.pop("answered_at")[:2], told) == (
        "20",
        {"run_id": run_id, "step_path": "ask", "answer": [1], "answered_by": "bob"},
    )


@pytest.mark.parametrize(
    ("text", "answer"),
    [("Looks good.", "Looks good."), ('"quoted"', "quoted"), ("12", "12"), ("true", "true")],
)
def test_where_a_text_is_asked_for_no_quotes_are_needed(
    cli: Cli, sql: Session, run_id: str, text: str, answer: str
) -> None:
    wait(sql, run_id, answer_schema={"type": "string"})
    assert cli("answer", run_id[:8], "ask", text).exit_code == 0
    assert sql.value("select answer from pgflow.waits") == answer


def test_an_answer_comes_from_a_file_too(
    cli: Cli, sql: Session, run_id: str, tmp_path: Path
) -> None:
    wait(sql, run_id)
    (tmp_path / "a.json").write_text('{"a": 1}')
    assert cli("answer", run_id, "ask", f"@{tmp_path / 'a.json'}").exit_code == 0
    assert sql.value("select answer from pgflow.waits") == {"a": 1}


def test_a_text_without_quotes_is_no_json(cli: Cli, sql: Session, run_id: str) -> None:
    wait(sql, run_id)
    result = cli("answer", run_id, "ask", "yes")
    assert (result.exit_code, "Write a text in quotes" in result.stderr) == (2, True)


def test_what_cannot_be_answered_says_why(cli: Cli, sql: Session, run_id: str) -> None:
    wait(sql, run_id, answer_schema=FORM, seconds=60)
    for arguments, sentence in (
        (("0123abcd", "ask", "1"), "There is no run 0123abcd"),
        (("x", "ask", "1"), '"x" is not a run id'),
        ((run_id, "nope", "1"), 'does not wait for an answer; what does: "ask"'),
        ((run_id, "ask", "1"), "does not take this answer: answer is number, but must be object"),
        ((run_id, "ask", "{}"), "does not take this answer"),
    ):
        result = cli("answer", *arguments)
        assert (result.exit_code, sentence in result.stderr) == (1, True), result.stderr
    let_pass(sql, run_id)
    assert "that is over" in cli("answer", run_id, "ask", '{"ok": 1}').stderr


def test_a_run_that_has_no_row_yet_is_answered_by_its_whole_id(cli: Cli, sql: Session) -> None:
    early = "11111111-2222-4333-8444-555555555555"
    wait(sql, early)
    assert cli("answer", early[:8], "ask", "1").exit_code == 1
    assert cli("answer", early, "ask", "1").exit_code == 0


def test_a_signal_goes_to_what_waits_or_is_kept(cli: Cli, sql: Session, run_id: str) -> None:
    result = cli("signal", "paid", "--key", "A-1", '{"cents": 5}')
    assert "Nothing waits for signal paid yet; it is kept for 1 d." in result.stdout
    wait(sql, run_id, "one", "wait", signal="paid", key="A-1")
    assert sql.value("select answer from pgflow.waits") == {"cents": 5}
    wait(sql, run_id, "two", "wait", signal="paid", key="A-1")
    assert cli("signal", "paid", "--key", "A-1").stdout == "Signal paid went to 1 step.\n"
    assert cli("signal", "paid", "--key", "A-1", "--keep", "0").stdout == (
        "Nothing waits for signal paid.\n"
    )
    for path in ("three", "four"):
        wait(sql, run_id, path, "wait", signal="over")
    told = json.loads(cli("signal", "over", "--all", "--json").stdout)
    assert told == {"signal": "over", "key": None, "steps": 2}


def test_a_signal_needs_a_key_or_goes_to_all(cli: Cli) -> None:
    result = cli("signal", "paid")
    assert (result.exit_code, "--key" in result.stderr) == (2, True)
    assert cli("signal", "x" * 201, "--all").exit_code == 1
