"""How long it takes to compile a workflow document, by the number of its nodes."""

import time
from typing import Any

import dagster as dg

from dagster_pgflow import Flow, read_workflow
from dagster_pgflow.compiler.compile import plan_of
from dagster_pgflow.compiler.emit_job import JobEmitter, JobSettings
from dagster_pgflow.compiler.plan import PassContext
from dagster_pgflow.expressions.cel import expression
from dagster_pgflow.model.lowered import lowered
from dagster_pgflow.names import IO_MANAGER_KEY, PGFLOW_KEY
from dagster_pgflow.runtime.handlers import HandlerRegistry
from tests.benchmarks.measure import Work, compare, median_seconds, show
from tests.benchmarks.plain_dagster import document_job

NODE_COUNTS = (10, 100, 1000)
EXPECTED_MS = {10: 1, 100: 5, 1000: 50}
RUNS = {10: 100, 100: 30, 1000: 9}
JOBS = {10: 30, 100: 9, 1000: 3}
RESOURCES = {PGFLOW_KEY: None, IO_MANAGER_KEY: dg.mem_io_manager}


def bench_documents() -> None:
    """Prints one line for each number of nodes."""
    show(
        "Compiling a workflow document, a fifth of it branches and loops; processor time, medians",
        [
            "nodes",
            "document to flow",
            "with new conditions",
            "expected",
            "plan",
            "Dagster job",
            "by hand",
        ],
        [_row(count) for count in NODE_COUNTS],
    )


def _row(count: int) -> list[str]:
    document = document_of(count)
    flow = read_workflow(document)

    def ms(work: Work) -> str:
        return _ms(median_seconds(work, RUNS[count], time.process_time))

    job = compare(
        "job",
        lambda: _snapshot(flow),
        lambda: document_job(count).get_job_snapshot(),
        JOBS[count],
        time.process_time,
    )
    return [
        str(count),
        ms(lambda: read_workflow(document)),
        ms(lambda: _read_anew(document)),
        f"{EXPECTED_MS[count]} ms",
        ms(lambda: _plan(flow)),
        _ms(job.ours),
        _ms(job.plain),
    ]


def _ms(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _read_anew(document: dict[str, Any]) -> None:
    """Reads a document as a process does that never saw its conditions."""
    expression.cache_clear()
    read_workflow(document)


def _plan(flow: Flow) -> None:
    """Plans a flow and the bodies of its loops, in a process that never saw its conditions."""
    expression.cache_clear()
    parts = lowered(flow)
    for part in parts.values():
        plan_of(part, PassContext(parts, HandlerRegistry()))


def _snapshot(flow: Flow) -> None:
    """Makes what a code server hands to the webserver and the daemon."""
    settings = JobSettings(RESOURCES, dg.in_process_executor)
    JobEmitter({flow.slug: flow}, HandlerRegistry(), settings).job(flow.slug, {}).get_job_snapshot()


def document_of(count: int) -> dict[str, Any]:
    """Returns a document of parts of ten nodes, one behind the other: a branch, then a loop."""
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    for part in range(count // 10):
        ids = [f"n{part}_{index}" for index in range(10)]
        begin, decide, yes, no, meet, first, second, again, done, late = ids
        condition = {"condition": f"output.score > {part}"}
        loop = {
            "loop_back_to": first,
            "max_iterations": 2,
            "condition": f"output.n < {part}",
            "break_path": [done],
            "timeout_path": [late],
        }
        config: dict[str, Any] = {decide: {}, again: loop}
        kinds = {decide: "conditional", again: "loop"}
        nodes += [
            {
                "id": id,
                "type": kinds.get(id, "function"),
                "config": config.get(id, {"handler": "work", "part": part}),
            }
            for id in ids
        ]
        before = [{"from": f"n{part - 1}_8", "to": begin}] if part else []
        edges += [
            *before,
            {"from": begin, "to": decide},
            {"from": decide, "to": yes, **condition},
            {"from": decide, "to": no},
            {"from": yes, "to": meet},
            {"from": no, "to": meet},
            {"from": meet, "to": first},
            {"from": first, "to": second},
            {"from": second, "to": again},
        ]
    return {"metadata": {"name": "bench"}, "nodes": nodes, "edges": edges}
