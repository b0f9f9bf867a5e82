"""Takes requests in tests as live workers do."""

from typing import Any
from uuid import UUID, uuid4

from dagster_pgflow.model.flow import Flow
from dagster_pgflow.store.claims import Claims
from dagster_pgflow.store.database import Database, Transaction
from dagster_pgflow.store.flows import FlowBuilder

END = "update pgflow.runs set status = 'completed' where run_id = %s"


def define(builder: FlowBuilder, slug: str, tenant: str | None = None, **options: Any) -> None:
    """Stores a flow of one step."""
    tags = {} if tenant is None else {"tenant": tenant}
    builder.define_flow(Flow(slug, tags=tags, **options).step("a"))


def claimed(database: Database) -> UUID | None:
    """Takes a request as a live worker does, and returns which."""

    def take(transaction: Transaction) -> UUID | None:
        claims = Claims(database)
        found = claims.next(transaction)
        if found is None:
            return None
        claims.bind(transaction, found, uuid4())
        return found.run_id

    return database.run(take)


def all_claimed(database: Database) -> list[UUID]:
    """Takes requests until none may be taken, and returns which."""
    found = []
    while (run_id := claimed(database)) is not None:
        found.append(run_id)
    return found
