"""Outputs that one process has just stored; no database is asked."""

from uuid import uuid4

from hypothesis import given
from hypothesis import strategies as st

from dagster_pgflow.store.outputs import OutputKey
from dagster_pgflow.store.recent_outputs import OVERHEAD_BYTES, RecentOutputs

RUN = uuid4()
LARGEST = 100
ROOM_FOR_FOUR = 4 * (LARGEST + OVERHEAD_BYTES)


def key(step: str) -> OutputKey:
    return OutputKey(RUN, step)


def test_what_is_kept_is_what_comes_back() -> None:
    recent = RecentOutputs(ROOM_FOR_FOUR)
    recent.keep(key("a"), "1")
    assert (recent.text_of(key("a")), recent.text_of(key("b"))) == ("1", None)


def test_outputs_of_other_runs_and_elements_are_others() -> None:
    recent = RecentOutputs(ROOM_FOR_FOUR)
    recent.keep(OutputKey(RUN, "a", "for_m", "0"), "1")
    others = OutputKey(uuid4(), "a", "for_m", "0"), OutputKey(RUN, "a", "for_m", "1"), key("a")
    assert [recent.text_of(other) for other in others] == [None, None, None]


def test_a_later_text_takes_the_place_of_an_earlier_one() -> None:
    recent = RecentOutputs(ROOM_FOR_FOUR)
    for text in ("1", "2"):
        recent.keep(key("a"), text)
    assert recent.text_of(key("a")) == "2"


def test_what_is_dropped_is_gone() -> None:
    recent = RecentOutputs(ROOM_FOR_FOUR)
    recent.keep(key("a"), "1")
    recent.drop(key("a"))
    recent.drop(key("never"))
    assert recent.text_of(key("a")) is None


def test_what_was_not_used_for_longest_goes_first() -> None:
    recent = RecentOutputs(ROOM_FOR_FOUR)
    for step in "abcd":
        recent.keep(key(step), "x" * LARGEST)
    assert recent.text_of(key("a")) is not None
    recent.keep(key("e"), "x" * LARGEST)
    assert [step for step in "abcde" if recent.text_of(key(step))] == ["a", "c", "d", "e"]


def test_an_output_too_large_is_not_kept_and_neither_is_what_it_replaces() -> None:
    recent = RecentOutputs(ROOM_FOR_FOUR)
    for step in "ab":
        recent.keep(key(step), "1")
    recent.keep(key("a"), "x" * (LARGEST + 1))
    assert (recent.text_of(key("a")), recent.text_of(key("b"))) == (None, "1")


def test_without_room_nothing_is_kept() -> None:
    recent = RecentOutputs(0)
    recent.keep(key("a"), "")
    assert recent.text_of(key("a")) is None


@given(
    st.lists(
        st.tuples(st.sampled_from("abcdefgh"), st.none() | st.integers(0, LARGEST + 20)),
        max_size=60,
    )
)
def test_it_never_holds_more_than_it_may_and_never_anything_old(
    changes: list[tuple[str, int | None]],
) -> None:
    recent = RecentOutputs(ROOM_FOR_FOUR)
    newest: dict[str, str] = {}
    for number, (step, size) in enumerate(changes):
        if size is None:
            recent.drop(key(step))
            newest.pop(step, None)
        else:
            newest[step] = str(number).ljust(size)
            recent.keep(key(step), newest[step])
    held = {step: text for step in "abcdefgh" if (text := recent.text_of(key(step))) is not None}
    assert held.items() <= newest.items()
    assert sum(len(text) + OVERHEAD_BYTES for text in held.values()) <= ROOM_FOR_FOUR
