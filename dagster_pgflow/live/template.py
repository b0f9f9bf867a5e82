"""The template: a process that has everything loaded, and forks those who do the work.

Started by the supervisor as `python -m dagster_pgflow.live.template`, with what to do as JSON.
"""

import gc
import logging
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NoReturn, assert_never
from uuid import UUID

import dagster as dg

from dagster_pgflow.compute_logs import silence_console, use_plain_compute_logs
from dagster_pgflow.dagster_storage import buffered_instance, rest
from dagster_pgflow.errors import PgflowError
from dagster_pgflow.live.channel import Channel
from dagster_pgflow.live.child import Child
from dagster_pgflow.live.imported_files import files_of_import, why_import_failed
from dagster_pgflow.live.log_to_supervisor import log_to_supervisor
from dagster_pgflow.live.messages import Born, Died, Hot, Imported, Message, Ready, Unusable
from dagster_pgflow.live.orders import Orders, Role
from dagster_pgflow.live.rows import Rows
from dagster_pgflow.live.serving import Serving
from dagster_pgflow.live.target import ServedLocation, import_location, origins_of

_log = logging.getLogger(__name__)

SHORT_LIFE_S: Final = 2.0
"""A process that lives no longer is started again after a pause only."""

LONGEST_PAUSE_S: Final = 10.0
LONGEST_REASON: Final = 4000
FILES_IN_A_MESSAGE: Final = 100


class Template:
    """Keeps the children alive, and knows what they will need.

    Args:
        orders: What it was started with.
        serving: What is loaded.
        forks: Whether the children are forked, or started anew.
    """

    def __init__(self, orders: Orders, serving: Serving, *, forks: bool) -> None:
        self._orders = orders
        self._serving = serving
        self._forks = forks
        self._control = Channel.of_descriptor(orders.control)
        self._alive: dict[int, tuple[Role, float]] = {}
        self._short_lives = 0
        self._shall_end = False
        self._heard, told = os.pipe()
        os.set_blocking(self._heard, False)
        os.set_blocking(told, False)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end_all)

    def keep_alive(self) -> None:
        """Start children until the supervisor says no more, then wait for them to end."""
        while not (self._shall_end and not self._alive):
            if not self._shall_end:
                self._start_missing()
            self._listen()
            self._bury_dead()

    def _start_missing(self) -> None:
        roles = [role for role, _ in self._alive.values()]
        wanted: list[Role] = ["rows"] * (1 - roles.count("rows"))
        wanted += ["child"] * (self._orders.concurrency - roles.count("child"))
        for role in wanted:
            process_id = self._start(role)
            self._alive[process_id] = (role, time.monotonic())
            self._serving.report(Born(process_id))

    def _start(self, role: Role) -> int:
        if not self._forks:
            return _start_anew(replace(self._orders, role=role))
        self._serving.served.location.database.close()
        rest(self._serving.instance)
        process_id = os.fork()
        if process_id == 0:
            _serve_and_exit(role, self._orders, self._serving)
        return process_id

    def _listen(self) -> None:
        listened = [self._heard] if self._shall_end else [self._heard, self._control.fileno()]
        readable = select.select(listened, [], [], None)[0]
        if self._heard in readable:
            with suppress(BlockingIOError):
                while os.read(self._heard, 4096):
                    pass
        if self._control.fileno() in readable:
            message = self._control.receive()
            if message is None:
                self._shall_end = True
            elif isinstance(message, Hot) and self._forks:
                self._warm(message)

    def _warm(self, hot: Hot) -> None:
        """Compile a flow that ran, so that processes that are forked later need not."""
        with suppress(Exception):
            self._serving.jobs.get(hot.flow_slug, hot.watermark)

    def _bury_dead(self) -> None:
        while self._alive:
            process_id, status = os.waitpid(-1, os.WNOHANG)
            if process_id == 0:
                return
            if process_id not in self._alive:
                continue
            _, since = self._alive.pop(process_id)
            exit_code = os.waitstatus_to_exitcode(status)
            self._serving.report(Died(process_id, exit_code))
            is_short = exit_code != 0 and time.monotonic() - since < SHORT_LIFE_S
            self._short_lives = self._short_lives + 1 if is_short else 0
            if self._short_lives and not self._shall_end:
                time.sleep(min(0.1 * 2**self._short_lives, LONGEST_PAUSE_S))

    def _end_all(self, _number: int, _frame: Any) -> None:
        """Interrupt the runs that are under way; between runs, that does nothing."""
        self._shall_end = True
        for process_id, (role, _) in self._alive.items():
            if role == "child":
                with suppress(ProcessLookupError):
                    os.kill(process_id, signal.SIGINT)


def _start_anew(orders: Orders) -> int:
    """Start a process that imports the code location itself; return its id."""
    descriptors = (orders.work, orders.told, orders.control, orders.report)
    command = [sys.executable, "-m", "dagster_pgflow.live.template", orders.as_argument()]
    return subprocess.Popen(command, pass_fds=descriptors).pid


def _serve_and_exit(role: Role, orders: Orders, serving: Serving) -> NoReturn:
    """Serve in this process, and leave nothing behind in it."""
    exit_code = 1
    try:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
            signal.signal(number, signal.SIG_DFL)
        _serve(role, orders, serving)
        exit_code = 0
    except BaseException:  # noqa: BLE001  SystemExit of user code, too
        _log.exception("A process of the live worker ends.")
    finally:
        with suppress(Exception):
            serving.instance.dispose()
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        # A handler may have left threads that nobody waits for.
        os._exit(exit_code)


def _serve(role: Role, orders: Orders, serving: Serving) -> None:
    match role:
        case "child":
            os.close(orders.told)
            Child(serving, Channel.of_descriptor(orders.work)).serve()
        case "rows":
            os.close(orders.work)
            Rows(serving, Channel.of_descriptor(orders.told)).serve()
        case "template":
            raise ValueError("A template does not serve.")
        case _:
            assert_never(role)


def main(argument: str) -> int:
    """Be a process of a live worker; return its exit code."""
    orders = Orders.of_argument(argument)
    report = Channel.of_descriptor(orders.report).send
    log_to_supervisor(report)
    silence_console()
    began = time.monotonic()
    try:
        origins = origins_of(orders.target)
        origin = origins[orders.index]
        _be_the_right_python(getattr(origin, "loadable_target_origin", None))
        served = import_location(origin)
        if served is None:
            report(_nothing_to_serve(origin.location_name, len(origins)))
            return 0
        instance = _opened_instance(served)
        serving = Serving.of(served, instance, UUID(orders.worker_id), report)
        if orders.role != "template":
            _serve_and_exit(orders.role, orders, serving)
        _rehearse()
        gc.collect()
        gc.freeze()
        forks = _threads() == 1
    except Exception as error:  # noqa: BLE001  the code location of a user
        _report_files(report, files_of_import(error))
        report(Unusable(why_import_failed(error)[:LONGEST_REASON]))
        return 1
    _report_files(report, files_of_import())
    url = served.location.given_database_url
    report(
        Ready(
            served.name,
            len(origins),
            has_flows=True,
            database_url=url,
            forks=forks,
            seconds=time.monotonic() - began,
        )
    )
    Template(orders, serving, forks=forks).keep_alive()
    return 0


def _nothing_to_serve(name: str, locations: int) -> Ready:
    return Ready(name, locations, has_flows=False, database_url=None, forks=False, seconds=0.0)


def _be_the_right_python(code: Any) -> None:
    """Become a process of the Python that the workspace names for a code location."""
    wanted = getattr(code, "executable_path", None)
    if wanted and Path(wanted).resolve() != Path(sys.executable).resolve():
        command = [wanted, "-m", "dagster_pgflow.live.template", sys.argv[1]]
        os.execv(wanted, command)  # noqa: S606  the program that the workspace names


def _opened_instance(served: ServedLocation) -> dg.DagsterInstance:
    executor = served.location.executor
    if executor is not dg.in_process_executor:
        raise PgflowError(
            f'The runs of code location "{served.name}" are executed by "{executor.name}". A live'
            " worker executes them in its own processes, with in_process_executor; without one"
            " they run as they do now."
        )
    instance = buffered_instance(dg.DagsterInstance.get())
    use_plain_compute_logs(instance)
    return instance


def _rehearse() -> None:
    """Execute a run that nobody sees: what Dagster imports for its first run is there then."""

    @dg.op
    def nothing() -> None:
        return None

    @dg.job
    def rehearsal() -> None:
        nothing()

    with dg.DagsterInstance.ephemeral() as instance:
        rehearsal.execute_in_process(instance=instance)


def _threads() -> int:
    """Return how many threads this process has, those of libraries in C among them."""
    tasks = Path("/proc/self/task")
    return len(list(tasks.iterdir())) if tasks.exists() else threading.active_count()


def _report_files(report: Callable[[Message], bool], files: Sequence[str]) -> None:
    for first in range(0, len(files), FILES_IN_A_MESSAGE):
        report(Imported(files[first : first + FILES_IN_A_MESSAGE]))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
