"""The rehearsal of a large class: its plan, its service levels, its report, and one run of it."""

from __future__ import annotations

import asyncio
import os
import re
import sys
from pathlib import Path

import pytest

from loadtest import frames
from loadtest.rehearsal import playlist
from loadtest.rehearsal.levels import Figure, Level, Verdict, all_held, figure_of, judge, levels
from loadtest.rehearsal.page import Moment, Run, page
from loadtest.rehearsal.plan import WHOLE, Plan

ROOT = Path(__file__).parents[2]


class TestAPlan:
    def test_is_a_class_of_ten_thousand_that_joins_within_a_minute(self) -> None:
        plan = Plan()
        assert (plan.learners, plan.stages[0].name, plan.stages[0].seconds) == (WHOLE, "ramp", 60.0)
        assert [stage.name for stage in plan.stages] == [
            "ramp", "steady", "chat", "challenge", "cut", "storm",
        ]  # fmt: skip
        assert plan.scaled() == []

    def test_is_scaled_by_its_learners_and_says_so(self) -> None:
        plan = Plan(scale=0.05, hls=0.06, webrtc=0.04)
        assert (plan.learners, plan.attending, plan.hls_players, plan.webrtc_viewers) == (500, 480, 30, 20)
        assert plan.joins_a_second == 8.0
        assert plan.scaled() == [
            "500 learners instead of 10,000 (5.00%)",
            "90% of the learners attend and chat, but play nothing",
        ]

    def test_has_one_stage_at_each_moment_and_then_none(self) -> None:
        plan = Plan(pace=0.1)
        ends = [stage.ends_s for stage in plan.stages]
        assert ends == sorted(ends)
        found = [plan.at(second / 10) for second in range(200)]
        assert [stage.name for stage in dict.fromkeys(filter(None, found))] == [s.name for s in plan.stages]
        assert found[-1] is None

    def test_keeps_the_rate_of_the_chat_whatever_the_class(self) -> None:
        small, large = Plan(0.05), Plan(1.0)
        assert small.chance_of_a_line("chat") * small.attending == pytest.approx(
            large.chance_of_a_line("chat") * large.attending
        )
        assert large.chance_of_a_line("cut") == 0


class TestALevel:
    def test_is_held_up_to_its_bound(self) -> None:
        level = Level("chat: line told", "p99", 250, "FIG-P7")
        for p99, held in ((250.0, True), (250.1, False)):
            figure = Figure("chat: line told", 10, 0, p99=p99)
            assert judge([level], {figure.name: figure}) == [Verdict(level, p99, held)]

    def test_is_missed_where_nothing_or_too_little_was_measured(self) -> None:
        level = Level("x", "p99", 250, "", least=10)
        few = Figure("x", 9, 0, p99=1.0)
        assert [one.held for one in judge([level], {}) + judge([level], {"x": few})] == [False, False]

    def test_of_failures_counts_them(self) -> None:
        share, number = Level("x", "failed_share", 0.001, ""), Level("x", "failures", 0, "")
        figure = Figure("x", 1000, 1)
        assert [one.held for one in judge([share, number], {"x": figure})] == [True, False]

    def test_is_asked_of_all_who_attend_and_only_of_what_is_played(self) -> None:
        sockets = levels(Plan(0.01, hls=0, webrtc=0))
        assert {level.least for level in sockets if level.figure == "ramp: join"} == {100}
        assert not any("hls" in level.figure or "webrtc" in level.figure for level in sockets)
        assert len(levels(Plan())) > len(sockets)

    def test_one_that_is_missed_decides(self) -> None:
        held, missed = (Verdict(Level("x", "p99", 1, ""), 1.0, held) for held in (True, False))
        assert (all_held([held, held]), all_held([held, missed]), all_held([])) == (True, False, False)


class TestAFigure:
    def test_takes_quantiles_by_nearest_rank(self) -> None:
        assert figure_of("x", range(1, 101), 2) == Figure("x", 102, 2, 50, 95, 99, 100)
        assert figure_of("x", [], 3) == Figure("x", 3, 3)


class TestTheReport:
    def run(self, p99: float) -> str:
        plan = Plan(0.05, hls=0.06, webrtc=0.04)
        figure = Figure("chat: line told", 480, 1, 80, 120, p99, 300)
        verdicts = judge([Level("chat: line told", "p99", 250, "FIG-P7")], {figure.name: figure})
        moments = [Moment(second, second * 8, 90.0, 0.0, {"server": 0.4}) for second in range(60)]
        return page(
            Run(plan, "http://lesson.example", "2026-11-29 10:00", [figure], verdicts, moments, [("<b>", 2)])
        )

    def test_says_what_was_missed_and_what_was_scaled(self) -> None:
        text = self.run(251)
        assert "1 of 1 service levels missed" in text
        assert "500 learners instead of 10,000" in text
        assert "All service levels held" in self.run(250)

    def test_has_graphs_and_nothing_from_elsewhere(self) -> None:
        text = self.run(100)
        assert text.count("<svg") == 3
        assert not re.search(r"(src|href)=|url\(|@import", text)

    def test_shows_what_servers_say_as_text(self) -> None:
        assert "&lt;b&gt;" in self.run(100)
        assert "<b>:" not in self.run(100)


class TestAPlaylist:
    TEXT = """#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="r/video/init0.mp4?token=t"
#EXT-X-PROGRAM-DATE-TIME:2026-11-29T02:00:00.000Z
#EXT-X-PART:DURATION=0.5,URI="r/video/7.0.m4s?token=t",INDEPENDENT=YES
#EXTINF:0.5,
r/video/7.m4s?token=t
#EXT-X-PROGRAM-DATE-TIME:2026-11-29T02:00:00.500Z
#EXT-X-PART:DURATION=0.25,URI="r/video/8.0.m4s?token=t",INDEPENDENT=YES
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="r/video/8.1.m4s?token=t"
"""

    def test_names_its_parts_and_what_comes_next(self) -> None:
        media = playlist.media(self.TEXT)
        assert media.parts == ("r/video/7.0.m4s?token=t", "r/video/8.0.m4s?token=t")
        assert (media.next, media.over, media.init) == ((8, 1), False, "r/video/init0.mp4?token=t")
        assert media.edge_s % 60 == pytest.approx(0.75)

    def test_of_several_renditions_names_the_first(self) -> None:
        assert playlist.variant("#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nvideo.m3u8\n") == "video.m3u8"
        with pytest.raises(ValueError, match="no rendition"):
            playlist.variant("#EXTM3U\n")


class TestFrames:
    @pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536])
    def test_of_a_client_are_masked_and_of_any_length(self, size: int) -> None:
        payload = bytes(number % 251 for number in range(size))
        framed = frames.frame(payload, mask=b"abcd")
        head = len(framed) - size
        assert framed[1] & 0x80
        assert bytes(octet ^ b"abcd"[at % 4] for at, octet in enumerate(framed[head:])) == payload

    def test_of_a_server_are_read_however_they_are_cut(self) -> None:
        opening = b"HTTP/1.1 101 Switching Protocols\r\n\r\n"
        stream = opening + b"\x81\x02hi" + b"\x82\x7e\x00\x80" + bytes(128)
        reader = frames.Reader()
        found = [one for at in range(len(stream)) for one in reader.feed(stream[at : at + 1])]
        assert found == [(frames.TEXT, b"hi"), (frames.BINARY, bytes(128))]
        assert list(frames.Reader().feed(stream)) == found

    def test_a_refused_upgrade_is_an_error(self) -> None:
        with pytest.raises(frames.FrameError, match="403"):
            list(frames.Reader().feed(b"HTTP/1.1 403 Forbidden\r\n\r\n"))


async def test_a_small_class_is_rehearsed_from_joining_to_the_storm(tmp_path: Path) -> None:
    """A real server, Locust with a dozen learners, each stage an eighth of its length: whoever was asked
    and cut was told, and the report is there. Its bounds are not judged here, for time is not tested."""
    report = tmp_path / "report.html"
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "loadtest.rehearsal", "--scale", "0.0012", "--hls-share", "0.2",
        "--webrtc-share", "0", "--pace", "0.13", "--report", str(report),
        cwd=ROOT, stderr=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.DEVNULL, env=dict(os.environ),
    )  # fmt: skip
    _, said = await asyncio.wait_for(process.communicate(), 120)
    text = report.read_text()
    counts = dict(re.findall(r"<tr><td>([a-z]+: [a-z ]+)<td>([\d,]+)<td", text))
    assert process.returncode in (0, 1), said.decode()
    assert counts["ramp: join"] == counts["cut: told"] == "12", counts
    assert int(counts["challenge: told"]) >= 9, counts  # who has a check of his own open is not asked
    assert {"ramp: hls first part", "ramp: hls playlist"} <= counts.keys()
    assert b"ramp: join failures: 0 of 0" in said, said.decode()
