"""The log of a live worker: lines that people and programs can read, whatever happens."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from dagster_pgflow.live import log_lines
from dagster_pgflow.live.log_lines import FIELDS, JsonLines, ReadableLines
from dagster_pgflow.live.messages import Began, Born, Died, Ended, Ready, Report, Said, Unusable
from dagster_pgflow.live.telling import RepeatedLine, line_of, tell

SPEAK = """
import logging
from dagster_pgflow.live.log_lines import open_log
open_log(as_json=True)
for _ in range(3):
    logging.getLogger("dagster_pgflow.live").info("still there")
open("{file}", "w").write("went on")
"""


def record(text: str, level: int = logging.INFO, **fields: object) -> logging.LogRecord:
    made = logging.LogRecord("x", level, "f.py", 1, text, None, None)
    if fields:
        setattr(made, FIELDS, fields)
    return made


def test_json_lines_are_one_object_each_whatever_is_said() -> None:
    hostile = 'two\nlines, "quotes", \ud800 and \x00'
    line = JsonLines().format(record(hostile, event="run_ended", run_id="1"))
    assert "\n" not in line
    told = json.loads(line)
    assert (told["event"], told["run_id"], told["level"]) == ("run_ended", "1", "info")
    assert told["message"] == hostile


def test_what_is_no_event_of_ours_is_a_line_of_json_too() -> None:
    assert json.loads(JsonLines().format(record("hello")))["event"] == "log"


def test_more_lines_are_indented_for_people_and_trouble_is_marked() -> None:
    first, second = ReadableLines().format(record("a\nb", logging.ERROR)).splitlines()
    assert first.endswith("  error: a")
    assert second == "          b"


@pytest.mark.parametrize("output", ["> /dev/full", ">&-", "| true"])
def test_a_log_that_nobody_can_write_to_ends_nothing(output: str, tmp_path: object) -> None:
    file = f"{tmp_path}/went_on"
    code = SPEAK.format(file=file)
    subprocess.run(["sh", "-c", f"\"{sys.executable}\" -c '{code}' {output}"], check=False)
    with open(file) as went_on:  # noqa: PTH123  a path of a shell
        assert went_on.read() == "went on"


BEGAN = Began(7, "run-of-dagster", "0123456789", "order", 3, 0.1234)
ENDED = Ended(7, "run-of-dagster", None, "order", "success", 1.5)


@pytest.fixture
def told(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    with caplog.at_level(logging.INFO):
        yield caplog


@pytest.mark.parametrize(
    ("report", "event", "text"),
    [
        (BEGAN, "run_started", "shop: run 01234567 of order started after 0.123 s"),
        (ENDED, "run_ended", "shop: run run-of-d of order: success after 1.500 s"),
        (Died(7, -9), "process_died", "shop: process 7 was ended by signal 9"),
        (Said(7, 30, "mine", "look"), "log", "shop: [7] mine: look"),
        (
            Unusable("NameError: x"),
            "code_location_unusable",
            "shop: cannot be served. NameError: x\nWhat was imported before serves on.",
        ),
    ],
)
def test_what_processes_say_is_told_with_fields_for_programs(
    report: Report, event: str, text: str, told: pytest.LogCaptureFixture
) -> None:
    line = line_of(report, serves=True)
    assert line is not None
    tell(line, "shop")
    [found] = told.records
    fields = getattr(found, FIELDS)
    assert (fields["event"], fields["code_location"], found.getMessage()) == (event, "shop", text)


def test_what_is_as_it_should_be_is_not_told() -> None:
    assert line_of(Born(7), serves=True) is None
    assert line_of(Died(7, 0), serves=True) is None


def test_a_code_location_that_cannot_be_forked_is_told_with_the_reason() -> None:
    ready = Ready("shop", 1, has_flows=True, database_url=None, forks=False, seconds=1.0)
    line = line_of(ready, serves=False)
    assert line is not None
    assert "starts threads" in line.text


def test_trouble_is_told_once_until_it_went_well() -> None:
    repeated = RepeatedLine()
    assert repeated.is_new("away")
    assert not repeated.is_new("away")
    assert repeated.is_new("no such user")
    assert repeated.went_well()
    assert not repeated.went_well()
    assert repeated.is_new("no such user")


def test_the_log_is_on_standard_output() -> None:
    assert log_lines.STANDARD_OUTPUT == sys.__stdout__.fileno() == 1  # type: ignore[union-attr]
