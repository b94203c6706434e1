"""The comparison: its arithmetic, and the servers of others where they are installed."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys

import pytest

from loadtest.compare import targets
from loadtest.compare.__main__ import _figures, _median, measure, table
from loadtest.compare.targets import MissingError
from loadtest.swarm.processes import usage
from tests.drivers.process import until

STEADY = {
    "server_us_per_packet": 12.0,
    "server_us_per_packet_of": {"node": 10.0, "recorder": 2.0},
    "server_kib_per_viewer": 100.0,
    "packets": 175_000,
    "seconds": 10.0,
    "viewers": 100,
    "lost": 1,
    "audio_lost": 2,
    "mbit_s_per_viewer": 1.0,
    "picture_ms": {"p99": 7.0},
}
REPORT = {"joined": 100, "profiles": {"AEAD_AES_128_GCM": 100}}


class TestArithmetic:
    def test_what_forwards_is_counted_and_the_rest_is_told(self):
        figures = _figures(REPORT, STEADY, "node")
        assert figures["us_per_packet"] == 10.0
        assert figures["us_per_packet_of"] == {"node": 10.0, "recorder": 2.0}
        assert figures["lost"] == 3

    def test_a_core_carries_as_many_as_their_packets_take_time(self):
        # 175 packets a second and viewer, 10 µs each
        assert _figures(REPORT, STEADY, "node")["viewers_per_core"] == 571

    def test_the_middle_round_stands_for_all(self):
        rounds = [{"us_per_packet": cost} for cost in (9.0, 3.0, 5.0)]
        middle = _median(rounds, 2.5)
        assert (middle["us_per_packet"], middle["to_floor"]) == (5.0, 2.0)
        assert middle["us_per_packet_rounds"] == [9.0, 3.0, 5.0]

    def test_the_table_names_what_is_missing(self):
        figures = _median([_figures(REPORT, STEADY, None)], 3.0)
        report = {"floor_us_per_packet": 3.0, "servers": {"ours": figures}, "missing": {"janus": "apt-get"}}
        lines = table(report).splitlines()
        assert lines[0].split()[:3] == ["server", "us_per_packet", "to_floor"]
        assert lines[-1] == "Janus, streaming plugin: apt-get"


def test_the_usage_of_a_process_includes_its_children():
    program = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'while True: pass'])"
    with subprocess.Popen([sys.executable, "-c", program], start_new_session=True) as process:
        try:
            until(lambda: sum(usage(process.pid).cpu_s.values()) > 0.3, "CPU time of the child")
            (resident,) = usage(process.pid).resident.values()
            assert resident > 2**20
        finally:
            os.killpg(process.pid, 9)


def test_a_process_that_is_gone_used_nothing():
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    assert usage(process.pid).cpu_s == {}


@pytest.mark.parametrize("name", ["pion", "janus"])
def test_the_swarm_watches_servers_of_others(name):
    """Janus offers, so that the answering half is tried too."""
    pytest.importorskip("loadtest._swarm", reason="the swarm was not built: that takes a compiler")
    given = argparse.Namespace(viewers=3, seconds=1.0, rate=50.0, equal_packets=False)
    try:
        figures = measure(name, given)
    except MissingError as error:
        pytest.skip(str(error).splitlines()[0])
    assert (figures["joined"], figures["lost"]) == (3, 0)
    assert figures["packets"] > 3 * 100


def test_what_is_missing_is_said_with_its_packages(monkeypatch, tmp_path):
    monkeypatch.setattr(targets, "_PION", tmp_path / "nothing")
    with (
        pytest.raises(MissingError, match="apt-get install golang-go"),
        targets.pion(tmp_path, 1, interceptors="none"),
    ):
        pass
