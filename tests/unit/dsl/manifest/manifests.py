"""Manifests for tests, written as short as their point allows."""

import itertools
from collections.abc import Mapping
from typing import Any

from dagster_pgflow.dsl.manifest.manifest import (
    DEFAULT,
    TERMINALS,
    TIMEOUT,
    UNLABELLED,
    Cell,
    Dispatch,
    Join,
    Manifest,
)


def manifest(ways: str, **changes: Any) -> Manifest:
    """Return a manifest of ways such as `start > a > end, start > b > start`.

    A node with several ways on has its targets as labels. Cells are whatever is no terminal and no
    join; `cells` in the changes says more of some of them.
    """
    targets: dict[str, dict[str, None]] = {}
    for way in ways.split(","):
        names = [name.strip() for name in way.split(">")]
        for source, target in itertools.pairwise(names):
            targets.setdefault(source, {})[target] = None
    joins: Mapping[str, Join] = changes.get("joins", {})
    mentioned = dict.fromkeys(
        name for source, ahead in targets.items() for name in (source, *ahead)
    )
    members = [member for join in joins.values() for member in join.cells]
    cells = {
        name: Cell(f"do/{name}")
        for name in (*mentioned, *members)
        if name not in TERMINALS and name not in joins
    }
    edges = {
        source: {UNLABELLED: next(iter(ahead))} if len(ahead) == 1 else {t: t for t in ahead}
        for source, ahead in targets.items()
    }
    dispatches = {source: asked(labels) for source, labels in edges.items() if len(labels) > 1}
    return Manifest(
        **{
            "id": "shop/order",
            "edges": edges,
            "dispatches": dispatches,
            **changes,
            "cells": cells | changes.get("cells", {}),
        }
    )


def asked(labels: Mapping[str, str]) -> tuple[Dispatch, ...]:
    """Return a predicate for each label that no dispatch is declared for by itself."""
    return tuple(
        Dispatch(label, "true" if label == DEFAULT else f'data["{label}"] == true')
        for label in labels
        if label != TIMEOUT
    )
