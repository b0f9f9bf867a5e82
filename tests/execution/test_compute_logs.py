"""What handlers print, kept in files without processes, and read as Dagster's UI reads it."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.noop_compute_log_manager import NoOpComputeLogManager

from dagster_pgflow.compute_logs import PlainComputeLogManager, use_plain_compute_logs
from dagster_pgflow.errors import LogsLost
from dagster_pgflow.model.flow import Flow
from dagster_pgflow.names import FLOW_INPUT
from tests.execution.harness import job_of

NewInstance = Callable[..., dg.DagsterInstance]


OF_OTHERS: set[str] = set()
"""The processes that were there when a test began: other tests of this session start some."""


def processes_below() -> list[str]:
    """Return the processes that this test has started and that are still there."""
    tasks = Path("/proc/self/task").iterdir()
    there = [pid for task in tasks for pid in (task / "children").read_text().split()]
    return [pid for pid in there if pid not in OF_OTHERS]


@pytest.fixture(autouse=True)
def processes_of_others() -> None:
    OF_OTHERS.clear()
    OF_OTHERS.update(processes_below())


def print_much(value: Any) -> int:
    """Print on both streams, by hand and through another process; return how many there are."""
    print(f"printed {value}")
    print("complained", file=sys.stderr)
    subprocess.run(["echo", "said another"], check=True)
    return len(processes_below())


@pytest.fixture
def new_instance(tmp_path: Path) -> Iterator[NewInstance]:
    """Makes an instance as a dagster.yaml with these lines about compute logs does."""
    instances: list[dg.DagsterInstance] = []

    def make(logs: str = "") -> dg.DagsterInstance:
        home = tmp_path / f"home{len(instances)}"
        home.mkdir()
        (home / "dagster.yaml").write_text(f"telemetry: {{enabled: false}}\n{logs}")
        instances.append(dg.DagsterInstance.from_config(str(home)))
        return instances[-1]

    yield make
    for instance in instances:
        instance.dispose()


def plain(folder: Path, more: str = "") -> str:
    return (
        "compute_logs:\n"
        "  module: dagster_pgflow.compute_logs\n"
        "  class: PlainComputeLogManager\n"
        f"  config: {{base_dir: '{folder}'{more}}}\n"
    )


def run(instance: dg.DagsterInstance, flow: Flow, *others: Flow, **handlers: Any) -> Any:
    job = job_of(flow, others, {"print": print_much, **handlers})
    config = {"inputs": {FLOW_INPUT: 7}, "loggers": {"console": {"config": {"log_level": "ERROR"}}}}
    return job.execute_in_process(instance=instance, run_config=config, raise_on_error=False)


def log_keys(instance: dg.DagsterInstance, run_id: str) -> list[list[str]]:
    """Return under which keys the log of a run says that its processes print."""
    events = [record.dagster_event for record in instance.all_logs(run_id)]
    return [
        [run_id, "compute_logs", event.logs_captured_data.file_key]
        for event in events
        if event is not None and event.event_type is dg.DagsterEventType.LOGS_CAPTURED
    ]


def errors_noted(instance: dg.DagsterInstance, run_id: str) -> str:
    """Return what the log of a run says went wrong beside its steps."""
    events = [record.dagster_event for record in instance.all_logs(run_id)]
    return "".join(
        event.engine_event_data.error.message
        for event in events
        if event is not None
        and event.event_type is dg.DagsterEventType.ENGINE_EVENT
        and event.engine_event_data.error is not None
    )


def interrupted(manager: PlainComputeLogManager, key: list[str]) -> None:
    with manager.capture_logs(key):
        print("so far")
        raise KeyboardInterrupt


def test_a_dagster_yaml_names_it_and_what_handlers_print_is_read_as_ever(
    new_instance: NewInstance, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    instance = new_instance(plain(tmp_path / "logs"))
    assert isinstance(instance.compute_log_manager, PlainComputeLogManager)
    result = run(instance, Flow("f").step("a", "print"))
    assert result.output_for_node("a") == 0
    [key] = log_keys(instance, result.run_id)
    for reader in (instance.compute_log_manager, LocalComputeLogManager(str(tmp_path / "logs"))):
        assert reader.is_capture_complete(key)
        data = reader.get_log_data(key)
        assert (data.stdout, data.stderr) == (b"printed 7\nsaid another\n", b"complained\n")
        # The second time only what is new.
        assert reader.get_log_data(key, data.cursor).stdout == b""
    assert capfd.readouterr() == ("", "")


def test_the_files_are_those_of_dagsters_own_manager(tmp_path: Path) -> None:
    seen = []
    for manager in (
        LocalComputeLogManager(str(tmp_path / "a")),
        PlainComputeLogManager(str(tmp_path / "b")),
    ):
        for key in (["run", "compute_logs", "step"], ["run", "compute_logs", "x" * 300]):
            with manager.capture_logs(key):
                print("out")
                print("err", file=sys.stderr)
                assert not manager.is_capture_complete(key)
        base = Path(manager._base_dir)
        seen.append({str(p.relative_to(base)): p.read_text() for p in base.rglob("*.*")})
    assert seen[0] == seen[1]
    assert len(seen[0]) == 6


def test_echo_shows_it_on_the_console_too_at_the_price_of_processes(
    new_instance: NewInstance, tmp_path: Path
) -> None:
    instance = new_instance(plain(tmp_path / "logs", ", echo: true"))
    result = run(instance, Flow("f").step("a", "print"))
    assert result.output_for_node("a") == 4
    [key] = log_keys(instance, result.run_id)
    assert instance.compute_log_manager.get_log_data(key).stderr == b"complained\n"


def test_a_run_inside_a_run_has_its_own_file(new_instance: NewInstance, tmp_path: Path) -> None:
    instance = new_instance(plain(tmp_path / "logs"))
    flow = (
        Flow("f")
        .step("before", "print")
        .subflow("inside", "g", depends_on="before", mode="run")
        .step("after", "say", depends_on="inside")
    )
    inner = Flow("g").step("b", "say")
    result = run(instance, flow, inner, say=lambda value: print("said", value))
    assert result.success
    texts = {}
    for each in instance.get_runs():
        [key] = log_keys(instance, each.run_id)
        assert instance.compute_log_manager.is_capture_complete(key)
        texts[each.job_name] = instance.compute_log_manager.get_log_data(key).stdout
    assert texts == {
        "f": b"printed 7\nsaid another\nsaid {'inside': {'b': None}}\n",
        "g": b"said {'before': 0}\n",
    }


def test_a_folder_that_cannot_be_written_is_a_sentence_in_the_log_of_the_run(
    new_instance: NewInstance, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").write_text("a file")
    instance = new_instance(plain(tmp_path / "logs"))
    result = run(instance, Flow("f").step("a", "print"))
    assert result.success
    told = errors_noted(instance, result.run_id)
    assert f"cannot be kept in the folder {tmp_path / 'logs'}" in told
    assert "The run goes on without it" in told
    assert capfd.readouterr().out == "printed 7\nsaid another\n"


def test_a_disk_that_gets_full_is_a_sentence_in_the_log_of_the_run(
    new_instance: NewInstance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance = new_instance(plain(tmp_path / "logs"))
    monkeypatch.setattr(
        PlainComputeLogManager, "get_captured_local_path", lambda *_arguments: "/dev/full"
    )
    result = run(instance, Flow("f").step("a", "say"), say=lambda _value: print("x" * 100_000))
    assert result.success
    told = errors_noted(instance, result.run_id)
    assert "is not complete in the folder" in told
    assert "No space left on device" in told


def test_what_a_run_fails_with_matters_more_than_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        PlainComputeLogManager, "get_captured_local_path", lambda *_arguments: "/dev/full"
    )
    manager = PlainComputeLogManager(str(tmp_path))
    with pytest.raises(KeyboardInterrupt):
        interrupted(manager, ["run", "compute_logs", "a"])
    with pytest.raises(LogsLost), manager.capture_logs(["run", "compute_logs", "a"]):
        print("lost")


def test_a_capture_that_is_broken_off_is_complete(tmp_path: Path) -> None:
    manager, key = PlainComputeLogManager(str(tmp_path)), ["run", "compute_logs", "a"]
    with pytest.raises(KeyboardInterrupt):
        interrupted(manager, key)
    assert manager.is_capture_complete(key)
    assert manager.get_log_data(key).stdout == b"so far\n"


def test_dagsters_own_manager_is_exchanged_in_this_process_only(
    new_instance: NewInstance, tmp_path: Path
) -> None:
    instance = new_instance()
    where = instance.compute_log_manager.get_log_metadata(["run", "compute_logs", "a"])
    assert use_plain_compute_logs(instance)
    assert not use_plain_compute_logs(instance)
    assert isinstance(instance.compute_log_manager, PlainComputeLogManager)
    assert instance.compute_log_manager.get_log_metadata(["run", "compute_logs", "a"]) == where
    result = run(instance, Flow("f").step("a", "print"))
    assert result.output_for_node("a") == 0
    [key] = log_keys(instance, result.run_id)
    with dg.DagsterInstance.from_ref(instance.get_ref()) as of_another_process:
        manager = of_another_process.compute_log_manager
        assert type(manager) is LocalComputeLogManager
        text, _ = manager.get_log_data_for_type(key, ComputeIOType.STDOUT)
        assert text == b"printed 7\nsaid another\n"


def test_another_manager_stays(new_instance: NewInstance, tmp_path: Path) -> None:
    class Uploading(LocalComputeLogManager):
        pass

    instance = new_instance()
    for other in (
        Uploading(str(tmp_path)),
        NoOpComputeLogManager(),
        PlainComputeLogManager(str(tmp_path), echo=True),
    ):
        instance._compute_log_manager = other
        assert not use_plain_compute_logs(instance)
        assert instance.compute_log_manager is other
