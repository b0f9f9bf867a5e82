"""For the tests of those who write flows: runs with mocks, without delays, and what to assert.

from dagster_pgflow.testing import run_flow

def test_a_card_that_is_declined_is_told():
result = run_flow(order, {"total": 20}, mock={"charge": RuntimeError("declined")})
result.assert_failed("declined").assert_ran("basket")
"""

from dagster_pgflow.in_process.result import (
    StepResult,
    SubrunResult,
    TakenEdge,
    TaskResult,
    WaitResult,
)
from dagster_pgflow.in_process.waits import DEADLINE_PASSED, GivenAnswer
from dagster_pgflow.testing.asserted import TestResult
from dagster_pgflow.testing.flow_files import read_flows
from dagster_pgflow.testing.run_flow import run_flow
from dagster_pgflow.testing.runner import FlowRunner

__all__ = [
    "DEADLINE_PASSED",
    "FlowRunner",
    "GivenAnswer",
    "StepResult",
    "SubrunResult",
    "TakenEdge",
    "TaskResult",
    "TestResult",
    "WaitResult",
    "read_flows",
    "run_flow",
]
