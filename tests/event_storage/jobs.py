"""Jobs in which Dagster says all that it has to say."""

import logging
import signal
from collections.abc import Iterator

import dagster as dg

days = dg.StaticPartitionsDefinition(["monday", "tuesday"])


@dg.op
def begin(context: dg.OpExecutionContext) -> int:
    """Logs in all ways."""
    context.log.info("A line with a tab\tand quotes ' \" and ünïcödé \U0001f40d")
    logging.getLogger("told").warning("Something that a library says")
    context.add_output_metadata({"rows": 3, "where": dg.MetadataValue.path("/a/b")})
    return 1


@dg.op
def add(number: int) -> int:
    """Adds one."""
    return number + 1


@dg.op
def fail(number: int) -> int:
    """Never works."""
    raise dg.Failure(f"Not with {number}", metadata={"why": "it is so"})


@dg.op(retry_policy=dg.RetryPolicy(max_retries=2))
def work_at_last(context: dg.OpExecutionContext, number: int) -> int:
    """Works when it is tried again."""
    if context.retry_number < 2:
        raise ValueError("not yet")
    return number


@dg.op(out=dg.DynamicOut(int))
def fan_out() -> Iterator[dg.DynamicOutput[int]]:
    """Makes three elements."""
    for index in range(3):
        yield dg.DynamicOutput(index, mapping_key=str(index))


@dg.op
def total(numbers: list[int]) -> int:
    """Adds them up."""
    return sum(numbers)


@dg.op(out=dg.Out(is_required=False))
def say_nothing() -> Iterator[dg.Output[int]]:
    """Has no output, so that what follows is skipped."""
    yield from ()


@dg.op
def be_cancelled() -> None:
    """Is stopped as the UI stops a run."""
    signal.raise_signal(signal.SIGINT)


@dg.op(pool="narrow")
def wait_for_the_pool() -> int:
    """Takes a slot of a pool."""
    return 1


@dg.success_hook
def be_glad(context: dg.HookContext) -> None:
    """Says something after a step."""
    context.log.info("glad")


@dg.failure_hook
def break_too(_context: dg.HookContext) -> None:
    """Fails after a step that failed."""
    raise ValueError("and the hook")


@dg.job(hooks={be_glad}, executor_def=dg.in_process_executor)
def succeeds() -> None:
    """Works, with a step that is skipped."""
    add.alias("last")(add(begin()))
    add.alias("skipped")(say_nothing())


@dg.job(hooks={break_too}, executor_def=dg.in_process_executor)
def fails() -> None:
    """Has a step that fails and one that cannot run."""
    add(fail(begin()))


@dg.job(executor_def=dg.in_process_executor)
def tries_again() -> None:
    """Has a step that is tried three times."""
    work_at_last(begin())


@dg.job(executor_def=dg.in_process_executor)
def maps() -> None:
    """Runs a step for each of three elements."""
    total(fan_out().map(add).collect())


@dg.job(executor_def=dg.in_process_executor)
def is_cancelled() -> None:
    """Is cancelled while it works."""
    be_cancelled()


@dg.job(executor_def=dg.in_process_executor)
def uses_a_pool() -> None:
    """Has a step that counts for a limit."""
    wait_for_the_pool()


@dg.job(
    executor_def=dg.multiprocess_executor.configured(
        {
            "max_concurrent": 1,
            # To import takes longer than a step.
            "start_method": {"forkserver": {"preload_modules": ["dagster_pgflow.dagster_storage"]}},
        }
    )
)
def runs_elsewhere() -> None:
    """Runs each step in a process of its own, one after the other."""
    add(begin())


@dg.asset(partitions_def=days, check_specs=[dg.AssetCheckSpec("good", asset="raw")])
def raw(context: dg.AssetExecutionContext) -> Iterator[object]:
    """An asset with partitions, tags, an observation and a check."""
    context.log_event(dg.AssetObservation("elsewhere", metadata={"seen": 1}))
    yield dg.MaterializeResult(
        metadata={"rows": 2},
        data_version=dg.DataVersion("one"),
        check_results=[dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)],
    )


@dg.asset(deps=[raw], partitions_def=days)
def refined() -> dg.MaterializeResult[None]:
    """An asset that comes of the other."""
    return dg.MaterializeResult(metadata={"rows": 1})


definitions = dg.Definitions(
    assets=[raw, refined],
    jobs=[
        succeeds,
        fails,
        tries_again,
        maps,
        is_cancelled,
        uses_a_pool,
        dg.define_asset_job("assets", executor_def=dg.in_process_executor),
    ],
)
