"""The flow of an expense, as it was, and as it is edited while runs of it wait."""

from typing import Any

from dagster_pgflow import Flow

LONGEST_STEP_S = 3_600
DAY_S = 86_400


def expense(slug: str, **arguments: Any) -> Flow:
    """Returns the flow: small sums are paid at once, of others somebody is asked."""
    return (
        Flow(slug, max_attempts=1, timeout=LONGEST_STEP_S, **arguments)
        .step("read", "expense.read")
        .branch(
            "size",
            rules=[("input.read.cents > 10000", "ask")],
            default_path="pay_at_once",
            depends_on="read",
        )
        .step("pay_at_once", "expense.end", depends_on="size")
        .approval(
            "ask",
            prompt="May ${$nodes.read.name} spend ${$nodes.read.cents} cents?",
            answer_schema={
                "type": "object",
                "properties": {"ok": {"type": "boolean"}},
                "required": ["ok"],
                "additionalProperties": False,
            },
            answerers=["boss", "finance"],
            deadline=DAY_S,
            on_timeout="escalate",
            depends_on=["read", "size"],
        )
        .branch(
            "decide",
            rules=[("input.ask.answer.ok", "pay")],
            default_path="refuse",
            depends_on="ask",
        )
        .step("pay", "expense.end", depends_on="decide")
        .step("refuse", "expense.end", depends_on="decide")
        .step("escalate", "expense.end", depends_on="ask")
        .join("done", depends_on=["pay_at_once", "pay", "refuse", "escalate"])
    )


def nobody_is_asked(slug: str) -> Flow:
    """Returns what the flow is edited to: everything is paid."""
    return Flow(slug).step("pay_all", "expense.end")
