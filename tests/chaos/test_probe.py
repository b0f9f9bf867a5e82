"""A code server is started again when its child is dead, and not while that is yet to come."""

from tests.chaos.probe import FIRST_S, PROBE_S, Probe


def test_a_code_server_whose_child_is_dead_is_stuck() -> None:
    probe, server = Probe(), object()
    assert not probe.is_stuck(server, 0.0, has_child=True)
    assert not probe.is_stuck(server, PROBE_S, has_child=False)
    assert probe.is_stuck(server, PROBE_S + 1, has_child=False)


def test_a_code_server_may_take_long_for_its_first_child() -> None:
    probe, before, server = Probe(), object(), object()
    probe.is_stuck(before, 0.0, has_child=True)
    assert not probe.is_stuck(None, 1.0, has_child=False)
    assert not probe.is_stuck(server, 2.0, has_child=False)
    assert not probe.is_stuck(server, 2.0 + FIRST_S, has_child=False)
    assert probe.is_stuck(server, 3.0 + FIRST_S, has_child=False)
