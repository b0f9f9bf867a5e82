"""`FlowRunner`: `run_flow` with the flows and handlers that all tests of a project share."""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from dagster_pgflow.in_process.given import FlowSource
from dagster_pgflow.model.defaults import UNASKED
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.testing.asserted import TestResult
from dagster_pgflow.testing.run_flow import run_flow


@dataclass(frozen=True)
class FlowRunner:
    """Runs flows as `run_flow` does.

    Attributes:
        flows: The flows of the project, which may be named by their slugs.
        handlers: The modules that hold its handlers.
    """

    flows: Sequence[Flow] = ()
    handlers: Sequence[ModuleType] = ()

    def __call__(
        self,
        flow: FlowSource,
        input: Any = UNASKED,  # the word of SQL's start_flow
        **options: Any,
    ) -> TestResult:
        """Run a flow, and return what became of it.

        Args:
            flow: The slug of one of the flows, or another flow.
            input: Its input.
            **options: The arguments of `run_flow`; they go before the flows and handlers here.

        Raises:
            PgflowError: As `run_flow`.
        """
        return run_flow(flow, input, **{"flows": self.flows, "handlers": self.handlers, **options})
