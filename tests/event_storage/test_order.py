"""Events are in the log in the order in which they were stored, whoever stored them."""

import signal
import subprocess
import sys
import threading

import dagster as dg
from dagster import DagsterEventType

from tests.event_storage.deployments import Deployment
from tests.event_storage.events import OTHER_RUN, RUN, event, line, lines_in
from tests.postgres import Session

EACH = 300


def test_threads_that_take_turns_keep_their_turns(ours: Deployment) -> None:
    turn = threading.Lock()
    count = iter(range(10**6))

    def talk() -> None:
        for index in range(EACH):
            with turn:
                number = next(count)
                entry = (
                    event(DagsterEventType.ENGINE_EVENT) if index % 50 == 49 else line(str(number))
                )
                ours.instance.store_event(entry)
            if index % 20 == 0:
                ours.instance.get_run_by_id(RUN)

    _at_the_same_time([talk] * 4)
    ours.instance.all_logs(RUN)
    session = Session(ours.dsn)
    numbers = [int(text) for text in lines_in(session) if text != "ENGINE_EVENT"]
    session.close()
    assert len(numbers) == 4 * EACH * 49 // 50
    assert numbers == sorted(numbers)


def test_threads_of_several_runs_mix_nothing_up(ours: Deployment) -> None:
    def talk_of(run_id: str) -> None:
        for number in range(EACH):
            ours.instance.store_event(line(str(number), run_id))

    _at_the_same_time([lambda: talk_of(RUN), lambda: talk_of(OTHER_RUN)])
    session = Session(ours.dsn)
    for run_id in (RUN, OTHER_RUN):
        ours.instance.all_logs(run_id)
        assert lines_in(session, run_id) == [str(number) for number in range(EACH)]
    session.close()


def test_a_signal_handler_may_log_while_its_thread_stores(ours: Deployment) -> None:
    called: list[int] = []

    def handle(_signal: int, _frame: object) -> None:
        called.append(1)
        ours.instance.store_event(line("handler", OTHER_RUN))
        signal.setitimer(signal.ITIMER_REAL, 0.001)

    before = signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.001)
    try:
        for number in range(EACH):
            ours.instance.store_event(line(str(number)))
            if number % 50 == 0:
                ours.instance.store_event(event(DagsterEventType.ENGINE_EVENT, OTHER_RUN))
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_IGN)
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    ours.instance.all_logs(RUN)
    session = Session(ours.dsn)
    assert lines_in(session) == [str(number) for number in range(EACH)]
    assert lines_in(session, OTHER_RUN).count("handler") == len(called) > 0
    session.close()


def test_two_processes_write_to_one_run(ours: Deployment) -> None:
    program = (
        "import sys\n"
        "import dagster as dg\n"
        "from tests.event_storage.events import line\n"
        f"instance = dg.DagsterInstance.from_config({str(ours.home)!r})\n"
        f"for number in range({EACH}):\n"
        "    instance.store_event(line(sys.argv[1] + str(number)))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", program, name]) for name in "ab"]
    assert [writer.wait() for writer in writers] == [0, 0]
    session = Session(ours.dsn)
    said = lines_in(session)
    session.close()
    for name in "ab":
        assert [text for text in said if text[0] == name] == [f"{name}{n}" for n in range(EACH)]


def test_a_step_that_says_much_says_it_in_order(ours: Deployment) -> None:
    @dg.op
    def talk(context: dg.OpExecutionContext) -> None:
        for number in range(2 * EACH):
            context.log.info("number %s", number)

    @dg.job
    def talks() -> None:
        talk()

    result = talks.execute_in_process(instance=ours.instance)
    records = ours.instance.get_records_for_run(result.run_id).records
    times = [record.event_log_entry.timestamp for record in records]
    assert times == sorted(times)
    said = [record.event_log_entry.user_message for record in records]
    assert [text for text in said if text.startswith("number")] == [
        f"number {number}" for number in range(2 * EACH)
    ]
    assert said[-1].startswith("Finished execution of run")


def _at_the_same_time(work: list[object]) -> None:
    threads = [threading.Thread(target=one) for one in work]  # type: ignore[arg-type]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
