"""Reports of version 0, which said no version: as runs wrote them, with rounder times.

They stand in the logs of Dagster instances, so nothing here ever changes.
"""

from typing import Any

VERSION_0: list[dict[str, Any]] = [
    {
        "status": "completed",
        "output_bytes": 2,
        "worker": "vm:672",
        "output": [],
        "tasks": [],
        "step": "m",
    },
    {
        "status": "completed",
        "output_bytes": 4,
        "worker": "vm:672",
        "output": None,
        "tasks": [],
        "fans_out": {"m": {"tasks": 2, "batches": 2}},
        "step": "m",
    },
    {
        "status": "completed",
        "output_bytes": 14,
        "worker": "vm:672",
        "output": {"points": 90},
        "tasks": [
            {
                "index": 0,
                "status": "completed",
                "attempts": 1,
                "started_at": 10.0,
                "completed_at": 12.5,
            }
        ],
        "step": "route",
        "taken": ["refuse"],
        "rule": "default",
        "warnings": [
            (
                'Step "route": rules[0].when `output.score > 80` counts as false: there is '
                'no key "score".'
            )
        ],
    },
    {
        "status": "completed",
        "output_bytes": 1,
        "worker": "vm:672",
        "output": 3,
        "tasks": [],
        "step": "out",
        "runs_flow": "y.out",
        "runs_at": "out[1]",
        "again": False,
        "ended_by": "break",
        "iteration": 2,
        "taken": [],
    },
    {
        "status": "skipped",
        "skip_reason": "condition_unmet",
        "skipped_step": "each",
        "worker": "vm:672",
        "tasks": [],
        "ends_way": True,
        "fans_out": {"each": {"tasks": 0, "batches": 0}},
        "step": "each",
    },
    {
        "status": "skipped",
        "skip_reason": "condition_unmet",
        "skipped_step": "o.idle",
        "worker": "vm:672",
        "tasks": [],
        "step": "o.idle.l",
        "runs_flow": "many_child.l",
        "runs_at": "o.idle.l[1]",
    },
    {"status": "cancelled", "failed_subflow": "s", "worker": "vm:672", "tasks": [], "step": "s.n"},
    {
        "status": "failed",
        "error": "ValueError: two",
        "failed_step": "s.m",
        "worker": "vm:672",
        "tasks": [
            {
                "index": 1,
                "status": "failed",
                "attempts": 1,
                "started_at": 10.0,
                "completed_at": 12.5,
                "error": "ValueError: two",
            }
        ],
        "step": "s.m",
        "place": "s.m",
        "failed_subflow": "s",
    },
    {
        "status": "failed",
        "error": "ValueError: two",
        "failed_step": "each[0].m",
        "worker": "vm:672",
        "tasks": [
            {
                "index": 0,
                "status": "completed",
                "attempts": 1,
                "started_at": 10.0,
                "completed_at": 12.5,
            },
            {
                "index": 1,
                "status": "failed",
                "attempts": 1,
                "started_at": 10.0,
                "completed_at": 12.5,
                "error": "ValueError: two",
            },
        ],
        "step": "each[0].m",
        "place": "each[0].m",
        "fans_out": {"m": {"tasks": 2, "batches": 1}},
    },
    {
        "status": "retrying",
        "attempt": 2,
        "delay_seconds": 0.0,
        "worker": "vm:672",
        "tasks": [
            {
                "index": 0,
                "status": "failed",
                "attempts": 1,
                "started_at": 10.0,
                "completed_at": 12.5,
                "error": "ValueError: two",
            }
        ],
    },
    {"status": "delayed", "delay_seconds": 3.0, "worker": "vm:672", "tasks": []},
    {
        "status": "child_run",
        "child_run": "5d5c6b9c-3bf5-43a9-afad-3b18aa8df058",
        "path": "out[1]",
        "tasks": [],
    },
]
