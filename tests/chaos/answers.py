"""People who answer the runs that wait, some of them at the same moment as somebody else."""

import json
import random
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field
from typing import Final
from uuid import UUID

import psycopg2

from tests.postgres import Session

TWICE: Final = 0.4
"""How many runs are answered by two people."""

PEOPLE: Final = ("ann", "ben")
REFUSED: Final = "was answered before, by {first} at "


@dataclass
class Answered:
    """What came of the answers.

    Attributes:
        counted: The answer that counts, by run.
        refused: How many came second, and were told who was first.
        problems: A sentence for each answer that was neither.
    """

    counted: dict[UUID, int] = field(default_factory=dict)
    refused: int = 0
    problems: list[str] = field(default_factory=list)


def answer_all(
    url: str,
    draw: random.Random,
    run_ids: Sequence[UUID],
    step: str,
    between: Callable[[], object] = lambda: None,
) -> Answered:
    """Answer a step of each run, in an order that is drawn, and of some of them twice.

    Args:
        url: The store.
        draw: Decides.
        run_ids: The runs, which wait.
        step: The step that waits.
        between: Is called after each.
    """
    told = Answered()
    order = list(run_ids)
    draw.shuffle(order)
    with ThreadPoolExecutor(len(PEOPLE)) as pool:
        for run_id in order:
            people = PEOPLE if draw.random() < TWICE else PEOPLE[:1]
            values = [draw.randrange(1_000) for _ in people]
            came = pool.map(
                lambda person, value, run_id=run_id: _answer(url, run_id, step, value, person),
                people,
                values,
            )
            _note(told, run_id, people, values, list(came))
            between()
    return told


def _answer(url: str, run_id: UUID, step: str, value: int, person: str) -> str | None:
    """Return why an answer does not count; nothing where it does."""
    answer = "select pgflow.answer(%s, %s, %s::jsonb, %s)"
    try:
        with closing(Session(url)) as sql:
            sql(answer, str(run_id), step, json.dumps(value), person)
    except psycopg2.Error as error:
        return str(error).strip()
    return None


def _note(
    told: Answered,
    run_id: UUID,
    people: Sequence[str],
    values: Sequence[int],
    came: Sequence[str | None],
) -> None:
    first = [number for number, reason in enumerate(came) if reason is None]
    if len(first) != 1:
        told.problems.append(f"Of the answers to run {run_id} {len(first)} count: {came}")
        return
    [winner] = first
    told.counted[run_id] = values[winner]
    sentence = REFUSED.format(first=people[winner])
    for reason in came:
        if reason is not None and sentence in reason:
            told.refused += 1
        elif reason is not None:
            told.problems.append(f"The second answer to run {run_id} is refused so: {reason}")
