"""What breaks a definition where it stands, and what a step needs to be broken."""

from typing import Any

from hypothesis import strategies as st

Document = dict[str, Any]

TOO_DEEP: Any = None
for _ in range(101):
    TOO_DEEP = [TOO_DEEP]

VALUES: st.SearchStrategy[Any] = st.sampled_from([None, 1, "x", [], {}])
INTEGERS = [-1, 0, 1, 1_000, 1_001, 2**31 - 1, 2**31]
BAD_SLUGS = ["", "run", "1st", "a b", "x" * 129, "é", "a\n"]
NAMES = [*(f"step_{letter}" for letter in "abcdef"), "nope", "run"]
CONDITIONS = ("if", "if_not", "run_if", "run_unless")
BAD_EXPRESSIONS = ["", " ", "output.", "nope.x", "1 + 1"]
REFERENCES = [
    "$nodes.step_a",
    "$nodes.step_f.x",
    "$nodes.nope",
    "$nodes",
    "$node.step_a",
    "a ${nodes.step_a}",
    "$input",
    "$item",
    "$item.n",
    "$nodes.one",
    "$nodes.two",
    "$nodes.step_a[x]",
]
OF_KINDS: dict[str, Any] = {
    "batch_size": 1,
    "collect_errors": True,
    "pipelined": True,
    "max_failures": 1,
    "max_failures_percent": 1,
    "flow": "child",
    "input": {},
    "output": {},
    "on_failure": "nope",
    "over": "$input",
    "mode": "run",
    "rules": [{"when": "true", "then": ["nope"]}],
    "default_path": ["nope"],
    "wait": "any",
    "back_to": "step_a",
    "condition": "true",
    "max_iterations": 1,
    "break_path": ["nope"],
    "timeout_path": ["nope"],
    "merge_input": True,
    "keep_input": True,
    "prompt": "Sure?",
    "answerers": ["boss"],
    "signal": "paid",
    "seconds": 5,
    "until": "'2030-01-01T00:00:00Z'",
    "deadline": 5,
    "on_deadline": "skip",
    "default_answer": {"a": None},
    "key": "'k'",
    "answer_schema": {},
    "reminders": [1],
    "handler": "h",
    "params": {"x": 1},
    "pool": "mail",
    "circuit_breaker": {"window": 5},
    "bulkhead": {},
    "rate_limiter": {"key": "k"},
    "input_schema": {},
    "output_schema": {},
}
"""What not every kind of step has, with a value."""


FRESH: dict[str, list[Document]] = {
    "single": [{"slug": "new"}],
    "map": [{"slug": "new"}],
    "subflow": [{"slug": "new", "flow": "child"}],
    "branch": [
        {"slug": "new", "rules": [{"when": "true", "then": ["behind_new"]}]},
        {"slug": "behind_new", "type": "single", "depends_on": ["new"]},
    ],
    "join": [
        {"slug": "new", "depends_on": ["one_arm", "other_arm"]},
        {"slug": "one_arm", "type": "single"},
        {"slug": "other_arm", "type": "single"},
    ],
    "approval": [{"slug": "new", "prompt": "Sure?"}],
    "wait": [{"slug": "new", "signal": "paid"}],
    "sleep": [{"slug": "new", "seconds": 5}],
    "loop": [{"slug": "new", "back_to": "new", "condition": "true", "max_iterations": 2}],
}
"""A step of each kind, and what it needs."""
