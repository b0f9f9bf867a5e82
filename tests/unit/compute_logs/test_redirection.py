"""Standard streams of real processes, sent to files: each program runs in a process of its own."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

import pytest

BEGIN = """
import os, resource, signal, subprocess, sys, threading
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from dagster_pgflow.compute_logs.redirection import Redirection

@contextmanager
def to(name, stream="stdout"):
    redirection = Redirection(stream, Path(name))
    redirection.begin()
    try:
        yield redirection
    finally:
        redirection.end()

def descriptors():
    return sorted(os.listdir("/proc/self/fd"))
"""


@dataclass
class Printed:
    """What a program printed: on its own streams, and into its files by name."""

    out: str
    err: str
    files: dict[str, str]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def printed_by(folder: Path, program: str, *before: str) -> Printed:
    """Run a program that has `to`; it must come to its end."""
    code = BEGIN + dedent(program)
    command = [*before, sys.executable, "-c", code]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    files = {path.name: path.read_text() for path in folder.iterdir()}
    return Printed(done.stdout, done.stderr, files)


def test_what_is_printed_meanwhile_is_in_the_file_and_nowhere_else(folder: Path) -> None:
    printed = printed_by(
        folder,
        """
        print("before")
        with to("log"):
            print("é inside")
            sys.stdout.write("no end of line")
        print("after")
        """,
    )
    assert printed == Printed("before\nafter\n", "", {"log": "é inside\nno end of line"})


def test_both_streams_have_their_own_file(folder: Path) -> None:
    printed = printed_by(
        folder,
        """
        with to("out"), to("err", "stderr"):
            print("a")
            print("b", file=sys.stderr)
        print("c", file=sys.stderr)
        """,
    )
    assert printed == Printed("", "c\n", {"out": "a\n", "err": "b\n"})


def test_subprocesses_and_what_writes_to_the_descriptor_are_heard_too(folder: Path) -> None:
    printed = printed_by(
        folder,
        """
        with to("log"):
            print("first")
            subprocess.run(["echo", "second"])
            os.write(1, b"third\\n")
            if os.fork() == 0:
                print("fourth")
                os._exit(0)
            os.wait()
        subprocess.run(["echo", "after"])
        """,
    )
    assert printed == Printed("after\n", "", {"log": "first\nsecond\nthird\nfourth\n"})


def test_what_is_printed_can_be_read_at_once(folder: Path) -> None:
    printed_by(
        folder,
        """
        with to("log"):
            print("a line")
            assert Path("log").read_text() == "a line\\n"
        """,
    )


def test_a_stream_that_was_there_before_leads_to_the_file_meanwhile(folder: Path) -> None:
    printed = printed_by(
        folder,
        """
        kept = sys.stdout
        with to("log"):
            print("by a logger that was made before", file=kept)
        print("after")
        """,
    )
    assert printed == Printed("after\n", "", {"log": "by a logger that was made before\n"})


def test_what_was_in_the_file_stays(folder: Path) -> None:
    (folder / "log").write_text("there\n")
    printed = printed_by(folder, 'with to("log"): print("more")')
    assert printed.files == {"log": "there\nmore\n"}


def test_redirections_lie_in_each_other(folder: Path) -> None:
    printed = printed_by(
        folder,
        """
        with to("outer"):
            print("a")
            with to("inner"):
                print("b")
                subprocess.run(["echo", "c"])
            print("d")
        print("e")
        """,
    )
    assert printed == Printed("e\n", "", {"outer": "a\nd\n", "inner": "b\nc\n"})


def test_they_may_end_in_the_order_in_which_they_began(folder: Path) -> None:
    printed = printed_by(
        folder,
        """
        first, second = Redirection("stdout", Path("first")), Redirection("stdout", Path("second"))
        first.begin()
        second.begin()
        first.end()
        print("into the second")
        second.end()
        print("after")
        subprocess.run(["echo", "of a subprocess"])
        assert sys.stdout is sys.__stdout__
        """,
    )
    assert printed == Printed(
        "after\nof a subprocess\n", "", {"first": "", "second": "into the second\n"}
    )


def test_one_after_the_other_leaves_no_descriptor_behind(folder: Path) -> None:
    printed_by(
        folder,
        """
        before = descriptors()
        for number in range(50):
            with to(f"{number}"), to(f"{number}", "stderr"):
                print(number)
        assert descriptors() == before
        """,
    )


@pytest.mark.parametrize(
    "damage",
    [
        "os.close(1)",
        "os.close(1); os.open('/dev/null', os.O_RDONLY)",
        "sys.stdout.close()",
        "sys.stdout = open('mine', 'w')",
        "sys.stdout = None",
        "os.closerange(3, 90)",
        "raise_inside = 1 / 0",
        "sys.exit(3)",
    ],
)
def test_whatever_a_handler_does_the_console_is_back(folder: Path, damage: str) -> None:
    printed = printed_by(
        folder,
        f"""
        try:
            with to("log"):
                print("before")
                {damage}
        except (ZeroDivisionError, SystemExit):
            pass
        print("after")
        subprocess.run(["echo", "of a subprocess"])
        with to("next"):
            print("of the next run")
        """,
    )
    assert printed.out == "after\nof a subprocess\n"
    assert (printed.files["log"], printed.files["next"]) == ("before\n", "of the next run\n")


def test_what_closed_even_our_copy_prints_into_no_file_afterwards(folder: Path) -> None:
    printed = printed_by(
        folder,
        """
        with to("log"):
            os.closerange(3, 200)
        print("lost")
        """,
    )
    assert printed == Printed("", "", {"log": ""})


def test_a_thread_that_goes_on_printing_prints_on_the_console(folder: Path) -> None:
    printed = printed_by(
        folder,
        """
        go_on, has_begun = threading.Event(), threading.Event()
        def work():
            stream = sys.stdout
            print("inside", file=stream)
            has_begun.set()
            go_on.wait()
            print("afterwards", file=stream)
        thread = threading.Thread(target=work)
        with to("log"):
            thread.start()
            has_begun.wait()
        go_on.set()
        thread.join()
        """,
    )
    assert printed == Printed("afterwards\n", "", {"log": "inside\n"})


def test_a_stream_that_somebody_put_there_gets_what_is_printed(folder: Path) -> None:
    printed = printed_by(
        folder,
        """
        import io
        mine = io.StringIO()
        with redirect_stdout(mine), to("log"):
            print("mine")
            subprocess.run(["echo", "of a subprocess"])
        assert mine.getvalue() == "mine\\n"
        """,
    )
    assert printed == Printed("", "", {"log": "of a subprocess\n"})


def test_a_process_without_the_streams_has_none_afterwards_either(folder: Path) -> None:
    printed = printed_by(
        folder,
        """
        sys.stdout = None
        os.close(1)
        with to("log"):
            print("inside")
            subprocess.run(["echo", "of a subprocess"])
        assert sys.stdout is None
        try:
            os.fstat(1)
        except OSError:
            os._exit(0)
        os._exit(1)
        """,
    )
    assert printed.files == {"log": "inside\nof a subprocess\n"}


def test_on_a_full_disk_printing_fails_nothing_and_the_reason_is_kept(folder: Path) -> None:
    printed = printed_by(
        folder,
        """
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, resource.RLIM_INFINITY))
        with to("log") as redirection:
            for _ in range(100):
                print("x" * 99)
        assert isinstance(redirection.error, OSError)
        print("after")
        """,
    )
    assert printed.out == "after\n"
    assert printed.files["log"] == ("x" * 99 + "\n") * 10


def test_half_a_character_is_printed_too(folder: Path) -> None:
    printed = printed_by(folder, r'with to("log"): print("\ud800")')
    assert printed.files == {"log": "\\ud800\n"}


def test_a_file_that_cannot_be_made_changes_nothing(folder: Path) -> None:
    printed = printed_by(
        folder,
        """
        before = descriptors()
        try:
            with to("no/such/folder"):
                raise AssertionError
        except FileNotFoundError:
            print("still here")
        assert descriptors() == before
        """,
    )
    assert printed == Printed("still here\n", "", {})
