"""One report of each kind, with every field, and its JSON as it stands in Dagster's log.

What is written here is what older runs say. A test that fails on it wants a further version, and
not another line here.
"""

from typing import Any

from dagster_pgflow.model.run_state import Json
from dagster_pgflow.reports.decision import Decision
from dagster_pgflow.reports.report import (
    ChildRunStarted,
    FailedItem,
    FanOut,
    OpReport,
    RanFlow,
    StepCancelled,
    StepCompleted,
    StepDelayed,
    StepFailed,
    StepRetrying,
    StepSkipped,
)
from dagster_pgflow.reports.task_report import TaskReport
from dagster_pgflow.step_path import StepPath

DONE = TaskReport(0, "completed", 2, 10.0, 12.5, is_reused=True)
BROKEN = TaskReport(1, "failed", 3, 10.0, 12.5, "oops", is_final=True)
DONE_JSON = {
    "index": 0,
    "status": "completed",
    "attempts": 2,
    "started_at": 10.0,
    "completed_at": 12.5,
    "reused": True,
}
BROKEN_JSON = {
    "index": 1,
    "status": "failed",
    "attempts": 3,
    "started_at": 10.0,
    "completed_at": 12.5,
    "error": "oops",
    "final": True,
}

EVERY_KIND: list[tuple[OpReport, dict[str, Any]]] = [
    (
        StepCompleted(worker="host:1", step=StepPath("a"), output_bytes=4, output=Json(None)),
        {
            "version": 1,
            "status": "completed",
            "worker": "host:1",
            "step": "a",
            "output_bytes": 4,
            "output": None,
        },
    ),
    (
        StepCompleted(
            worker="host:1",
            tasks=(DONE, BROKEN),
            step=StepPath("pay[3].charge"),
            fans_out={"m": FanOut(7, 3, 3)},
            ran=RanFlow("child", StepPath("pay[3].charge")),
            unanswered=("why?",),
            output_bytes=9000,
            decision=Decision(("x",), 0, warnings=("no answer",)),
            failed_items={StepPath("pay[3].charge[1]"): FailedItem("no", StepPath("pay"))},
        ),
        {
            "version": 1,
            "status": "completed",
            "worker": "host:1",
            "tasks": [DONE_JSON, BROKEN_JSON],
            "step": "pay[3].charge",
            "fans_out": {"m": {"tasks": 7, "batches": 3, "batch_size": 3}},
            "runs_flow": "child",
            "runs_at": "pay[3].charge",
            "unanswered": ["why?"],
            "output_bytes": 9000,
            "taken": ["x"],
            "rule": 0,
            "warnings": ["no answer"],
            "failed_items": {"pay[3].charge[1]": {"error": "no", "subflow": "pay"}},
        },
    ),
    (
        StepCompleted(
            worker="host:1",
            step=StepPath("l[2].again"),
            output_bytes=1,
            output=Json(1),
            decision=Decision(again=False, ended_by="timeout", iteration=2),
        ),
        {
            "version": 1,
            "status": "completed",
            "worker": "host:1",
            "step": "l[2].again",
            "output_bytes": 1,
            "output": 1,
            "taken": [],
            "again": False,
            "ended_by": "timeout",
            "iteration": 2,
        },
    ),
    (
        StepSkipped(
            worker="host:1",
            step=StepPath("b"),
            skip_reason="condition_unmet",
            skipped_step=StepPath("a"),
            ends_route=True,
        ),
        {
            "version": 1,
            "status": "skipped",
            "worker": "host:1",
            "step": "b",
            "skip_reason": "condition_unmet",
            "skipped_step": "a",
            "ends_route": True,
        },
    ),
    (
        StepCancelled(worker="host:1", step=StepPath("s.b"), failed_subflow=StepPath("s")),
        {
            "version": 1,
            "status": "cancelled",
            "worker": "host:1",
            "step": "s.b",
            "failed_subflow": "s",
        },
    ),
    (
        StepFailed(
            worker="host:1",
            tasks=(BROKEN,),
            step=StepPath("s"),
            fans_out={"s": FanOut(2, 1, 2)},
            error="oops",
            failed_step=StepPath("s[1].b"),
            place=StepPath("s[1]"),
            failed_subflow=StepPath("s"),
            cause="store",
        ),
        {
            "version": 1,
            "status": "failed",
            "worker": "host:1",
            "tasks": [BROKEN_JSON],
            "step": "s",
            "fans_out": {"s": {"tasks": 2, "batches": 1, "batch_size": 2}},
            "error": "oops",
            "failed_step": "s[1].b",
            "place": "s[1]",
            "failed_subflow": "s",
            "cause": "store",
        },
    ),
    (
        StepRetrying(worker="host:1", tasks=(BROKEN,), attempt=4, delay_seconds=1.5),
        {
            "version": 1,
            "status": "retrying",
            "worker": "host:1",
            "tasks": [BROKEN_JSON],
            "attempt": 4,
            "delay_seconds": 1.5,
        },
    ),
    (
        StepDelayed(worker="host:1", delay_seconds=60.0),
        {"version": 1, "status": "delayed", "worker": "host:1", "delay_seconds": 60.0},
    ),
    (
        ChildRunStarted(
            worker="host:1",
            child_run="0b3f",
            path=StepPath("each[0]"),
            input=Json({"a": None}),
            is_reused=True,
        ),
        {
            "version": 1,
            "status": "child_run",
            "worker": "host:1",
            "child_run": "0b3f",
            "path": "each[0]",
            "input": {"a": None},
            "reused": True,
        },
    ),
]
