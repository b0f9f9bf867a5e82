"""A module of handlers whose hints are text, some of which only type checkers can read."""

from __future__ import annotations  # noqa: TID251  # handlers in users' modules may have it

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel

from dagster_pgflow.runtime.handlers import handler

if TYPE_CHECKING:
    from dagster_pgflow.runtime.context import StepContext


class Item(BaseModel):
    name: str


@handler("first")
def first(item: list[Item], ctx: StepContext) -> Item:
    return item[0]


def unreadable(item: Missing) -> Any:  # type: ignore[name-defined]  # noqa: F821
    return item


NOT_A_HANDLER = 5
