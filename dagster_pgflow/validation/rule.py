"""What a rule is."""

from collections.abc import Callable, Iterable, Mapping

from dagster_pgflow.errors import Problem
from dagster_pgflow.model.flow import Flow

KnownFlows = Mapping[str, Flow] | None
"""The other flows that a definition may name, or `None` when they are not known here."""

Rule = Callable[[Flow, KnownFlows], Iterable[Problem]]
