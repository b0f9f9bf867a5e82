"""The judge of the chaos run sees what is wrong, and nothing where nothing is."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.chaos import handlers, verdict
from tests.chaos.flows import CHILD, KINDS
from tests.execution.projecting import World, world

__all__ = ["world"]

INPUT = {"first": 3, "count": 2}


def double_an_effect(effects: Path, _world: World) -> None:
    effects.write_text(effects.read_text() + effects.read_text().splitlines()[-1])


def delete_the_run(_effects: Path, world: World) -> None:
    for run in world.instance.get_runs():
        world.instance.delete_run(run.run_id)


def tampering(statement: str) -> Callable[[Path, World], Any]:
    return lambda _effects, world: world.sql(statement)


TAMPERINGS: dict[str, tuple[Callable[[Path, World], Any], str]] = {
    "an effect twice": (double_an_effect, "did 2 times what it does"),
    "an attempt nobody recorded": (
        tampering("delete from pgflow.node_executions where step_path = 'total'"),
        "Nothing is recorded of",
    ),
    "a wrong output": (
        tampering("update pgflow.runs set output = '{\"total\": 6}'"),
        "returned {'total': 6} for {'total': 14}",
    ),
    "a run that did not go on by itself": (
        tampering("update pgflow.runs set status = 'failed', error_message = 'gone'"),
        "is failed, and was to go on by itself: gone",
    ),
    "a run without an end": (
        tampering("update pgflow.runs set status = 'started'"),
        "is started for ever",
    ),
    "a step without an end": (
        tampering("update pgflow.step_states set status = 'started' where step_path = 'total'"),
        "total of step_states is started",
    ),
    "a request without a run": (
        delete_the_run,
        "has 0 runs in Dagster",
    ),
    "a row that a rebuild would not make": (
        tampering("update pgflow.step_tasks set attempts_count = 7"),
        "A rebuild changes a row of step_tasks: {'attempts_count': (7, 1)}",
    ),
}


@pytest.fixture
def effects(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "effects"
    monkeypatch.setenv(handlers.EFFECTS, str(file))
    monkeypatch.setattr(handlers, "WORK_S", 0)
    return file


def judge(world: World, effects: Path, tamper: Callable[[Path, World], Any] | None) -> list[str]:
    """Runs one of the flows, does something to what is left of it, and returns what is found."""
    world.define(CHILD, *(kind.flow for kind in KINDS))
    run_id = world.requests.start("chaos_map", INPUT)
    world.run("chaos_map", handlers, INPUT, run_id=run_id)  # type: ignore[arg-type]  # a module is one too
    url = world.database.address.dsn
    verdict.settle(url, world.instance, world.sql)
    if tamper is not None:
        tamper(effects, world)
    requests = {run_id: ("chaos_map", INPUT)}
    return [
        *verdict.problems(world.sql, world.instance, requests, effects),
        *verdict.differences_from_a_rebuild(url, world.instance, world.sql),
    ]


def test_a_sound_run_has_no_problems(world: World, effects: Path) -> None:
    assert judge(world, effects, None) == []


@pytest.mark.parametrize("what", TAMPERINGS)
def test_what_is_wrong_is_found(world: World, effects: Path, what: str) -> None:
    tamper, sentence = TAMPERINGS[what]
    assert any(sentence in problem for problem in judge(world, effects, tamper))
