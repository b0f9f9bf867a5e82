"""The handlers of flow `ai_workflow`, which `ai_workflow.sql` defines."""

from pydantic import BaseModel, Field

from dagster_pgflow import StepContext, handler
from dagster_pgflow.examples.tables import example_tables


class Wanted(BaseModel):
    """The flow's input."""

    count: int = Field(default=100, ge=0, le=100_000, description="How many numbers to fetch.")


class Processed(BaseModel):
    """What `save` receives."""

    process: list[int]


class Saved(BaseModel):
    """What `save` returns."""

    done: bool
    saved: int
    sum: int


@handler("ai_workflow.fetch")
def fetch(wanted: Wanted) -> list[int]:
    """Return the numbers from 1 to `count`."""
    return list(range(1, wanted.count + 1))


@handler("ai_workflow.process")
def process(number: int) -> int:
    """Double one number."""
    return number * 2


@handler("ai_workflow.save")
def save(results: Processed, ctx: StepContext) -> Saved:
    """Write the numbers to `pgflow_examples.results`, once however often it is tried."""
    with example_tables(ctx) as transaction:
        transaction.run_sql(
            "insert into pgflow_examples.results (idempotency_key, flow_slug, numbers)"
            " values (:key, :flow, :numbers) on conflict (idempotency_key) do nothing",
            key=ctx.idempotency_key,
            flow=ctx.flow_slug,
            numbers=results.process,
        )
    return Saved(done=True, saved=len(results.process), sum=sum(results.process))
