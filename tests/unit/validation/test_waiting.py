"""Steps that wait ask for something, end some day, and do not contradict themselves."""

from typing import Any

import pytest

from dagster_pgflow.errors import InvalidFlow
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.model.fragment import Fragment
from dagster_pgflow.validation.lint.lint import lint
from dagster_pgflow.validation.salvage import flow_of_document
from dagster_pgflow.validation.validate import validate

LATE: dict[str, Any] = {"deadline": 60, "on_deadline": "continue"}


def told_of(flow: Flow) -> list[tuple[str, str]]:
    return [(problem.code, problem.path) for problem in validate(flow)]


def test_each_kind_with_all_that_it_may_say_is_sound() -> None:
    flow = (
        Flow("f")
        .approval(
            "ask",
            prompt="May ${$input.name} spend ${$input.sum}?",
            answerers="boss",
            answer_schema=bool,
            deadline=86_400,
            on_timeout="late",
            reminders=[3_600, 7_200],
        )
        .wait("paid", signal="payment", key="flow_input.order", depends_on="ask", **LATE)
        .sleep("night", until="'2030-01-01T00:00:00Z'", depends_on="paid")
        .sleep("nap", seconds=5)
        .step("late", depends_on="ask")
    )
    assert told_of(flow) == []
    assert lint(flow) == ()
    assert flow_of_document(flow.to_json()) == flow


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"prompt": ""}, [("invalid-prompt", "prompt")]),
        ({"prompt": "x" * 10_001}, [("invalid-prompt", "prompt")]),
        ({"answerers": ["a", ""]}, [("invalid-answerer", "answerers[1]")]),
        ({"answerers": ["a"] * 101}, [("invalid-answerer", "answerers")]),
        ({"deadline": 0}, [("seconds-out-of-range", "deadline")]),
        ({"deadline": 2**31}, [("seconds-out-of-range", "deadline")]),
        ({"on_deadline": "skip"}, [("no-deadline", "on_deadline")]),
        ({"deadline": 9, "default_answer": 0}, [("contradicts-deadline", "default_answer")]),
        (
            {"deadline": 9, "on_deadline": "skip", "on_timeout": "late"},
            [("contradicts-deadline", "on_timeout")],
        ),
        ({"on_timeout": "late"}, [("no-deadline", "on_timeout")]),
        ({"reminders": 0}, [("invalid-reminder", "reminders[0]")]),
        ({"deadline": 9, "reminders": [8, 9]}, [("invalid-reminder", "reminders[1]")]),
        ({"reminders": [1] * 101}, [("invalid-reminder", "reminders")]),
        ({"answer_schema": {"type": 5}}, [("invalid-schema", "answer_schema.type")]),
        (
            {**LATE, "default_answer": "no", "answer_schema": {"type": "boolean"}},
            [("invalid-default", "default_answer")],
        ),
        ({**LATE, "default_answer": False, "answer_schema": {"type": "boolean"}}, []),
        ({"key": "nope.x"}, [("invalid-expression", "key")]),
        ({"key": "1 +"}, [("invalid-expression", "key")]),
        ({"prompt": "${$nodes.late.x}"}, [("reference-to-no-dependency", "prompt")]),
        ({"prompt": "$item"}, [("reference-to-no-item", "prompt")]),
    ],
)
def test_what_cannot_be_is_told_where_it_stands(
    given: dict[str, Any], told: list[tuple[str, str]]
) -> None:
    said: dict[str, Any] = {"prompt": "Sure?", **given}
    flow = Flow("f").approval("ask", **said)
    flow = flow.step("late", depends_on="ask")
    assert told_of(flow) == [(code, f"steps.ask.{place}") for code, place in told]


def test_a_signal_has_a_name_and_a_sleep_one_end() -> None:
    flow = Flow("f").wait("w", signal="").sleep("s").sleep("t", seconds=0, until="input")
    assert told_of(flow) == [
        ("invalid-signal", "steps.w.signal"),
        ("sleep-without-one-end", "steps.s"),
        ("sleep-without-one-end", "steps.t"),
        ("seconds-out-of-range", "steps.t.seconds"),
    ]


@pytest.mark.parametrize(
    "given",
    [
        {"deadline": "5"},
        {"deadline": 1.5},
        {"reminders": [True]},
        {"reminders": "5"},
        {"answer_schema": 5},
        {"answer_schema": "object"},
        {"on_deadline": "retry"},
        {"handler": "x"},
        {"timeout": 5},
    ],
)
def test_what_a_document_says_in_another_form_is_refused(given: dict[str, Any]) -> None:
    step = {"slug": "ask", "type": "approval", "prompt": "Sure?", **given}
    with pytest.raises(InvalidFlow):
        flow_of_document({"slug": "f", "steps": [step]})


def test_what_an_answer_is_others_are_held_to() -> None:
    answer = {"type": "object", "properties": {"sum": {}}, "additionalProperties": False}
    flow = Flow("f").approval("ask", prompt="How much?", answer_schema=answer)
    asks = flow.step("pay", depends_on="ask", run_if="input.ask.answer.sum > 0")
    assert told_of(asks) == []
    asks = flow.step("pay", depends_on="ask", run_if="input.ask.answer.som > 0")
    assert told_of(asks) == [("unknown-field", "steps.pay.run_if")]
    late = Flow("f").approval("ask", prompt="How much?", answer_schema=answer, **LATE)
    late = late.step("pay", depends_on="ask", run_if="has(input.ask.timed_out)")
    assert told_of(late) == []
    slept = Flow("f").sleep("s", seconds=1).step("a", depends_on="s", run_if="output.till == ''")
    assert told_of(slept) == [("unknown-field", "steps.a.run_if")]


def test_in_a_host_what_they_ask_has_the_names_of_the_host() -> None:
    fragment = (
        Fragment("sign", entry="draft", exits={"done": "paid"})
        .step("draft", handler="draft")
        .approval("ask", prompt="Sign ${$nodes.draft.title}?", depends_on="draft")
        .wait("paid", signal="paid", key="deps.ask.answer", depends_on="ask")
    )
    flow = Flow("f").include(fragment, "one", exits={"done": []})
    ask, paid = flow.steps[1:]
    assert ask.to_json()["prompt"] == "Sign ${$nodes.one_draft.title}?"
    assert paid.to_json()["key"] == "deps.one_ask.answer"


def test_what_has_no_effect_on_a_step_that_waits_is_told() -> None:
    flow = Flow("f").approval("ask", prompt="Sure?", max_attempts=3, start_delay=1, key="input")
    assert [(problem.code, problem.path) for problem in lint(flow)] == [
        ("setting-without-effect", "steps.ask"),
        ("setting-without-effect", "steps.ask.key"),
    ]
