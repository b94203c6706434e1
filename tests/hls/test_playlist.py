"""The playlist writer: whatever was packaged, the playlist keeps the rules (tests/hls/rules.py)."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from liveserver.hls import playlist
from liveserver.hls.playlist import Part, Segment, Streams, Window
from tests.hls import rules

FULL = Part(playlist.PART_TARGET_S, False)


@st.composite
def windows(draw: st.DrawFn) -> Window:
    """Segments as the packager makes them: full parts, a short last one, a keyframe first."""
    count = draw(st.integers(1, 24))
    segments, wall_ms, init, discontinuities = [], 1_790_000_000_000, 1, draw(st.integers(0, 3))
    for index in range(count):
        cut = draw(st.integers(0, 9)) == 0 and index > 0
        init += cut
        parts = [FULL] * draw(st.integers(0, 12))
        parts.append(Part(draw(st.integers(1, 15)) * 1024 / 48_000, False))
        parts[0] = Part(parts[0].duration_s, True)
        whole = index < count - 1 or draw(st.booleans())
        segments.append(Segment(700 + index, init, wall_ms, cut, tuple(parts), whole))
        wall_ms += round(segments[-1].duration_s * 1000)
    return Window(segments, discontinuities, "run/video/", "?token=t", draw(st.integers(0, 5)) == 0 and whole)


class TestAMediaPlaylist:
    @settings(deadline=None)
    @given(windows())
    def test_keeps_the_rules(self, window: Window) -> None:
        found = rules.parse(playlist.media(window))
        assert [s.sequence for s in found.segments] == [s.sequence for s in window.segments]
        assert found.first == 700
        assert found.ended == window.is_over

    @settings(deadline=None)
    @given(windows())
    def test_counts_each_discontinuity(self, window: Window) -> None:
        found = rules.parse(playlist.media(window))
        cuts = sum(segment.discontinuity for segment in window.segments[1:])
        assert found.segments[-1].discontinuity == window.discontinuities + cuts

    @settings(deadline=None)
    @given(windows())
    def test_a_delta_is_the_whole_one_without_what_it_skips(self, window: Window) -> None:
        whole, delta = playlist.media(window), playlist.media(window, skip=True)
        if "EXT-X-SKIP" in delta:
            rules.Watch("", lambda _: b"").check_delta(whole, delta)
        else:
            assert delta == whole
            younger_s = sum(segment.duration_s for segment in window.segments[1:])
            assert window.is_over or younger_s < playlist.SKIP_UNTIL_S + 0.002

    @settings(deadline=None)
    @given(windows())
    def test_hints_at_the_part_that_comes_next(self, window: Window) -> None:
        found, newest = rules.parse(playlist.media(window)), window.segments[-1]
        if window.is_over:
            assert found.hint is None
            return
        following = (newest.sequence + 1, 0) if newest.is_whole else (newest.sequence, len(newest.parts))
        assert found.hint == "run/video/{}.{}.m4s?token=t".format(*following)

    @settings(deadline=None)
    @given(windows())
    def test_carries_the_token_into_every_address(self, window: Window) -> None:
        found = rules.parse(playlist.media(window))
        addresses = [s.uri for s in found.segments if s.uri] + [
            p.uri for s in found.segments for p in s.parts
        ]
        assert all(address.endswith("?token=t") for address in addresses)


class TestTheMultivariantPlaylist:
    def test_offers_the_picture_and_the_sound_alone(self) -> None:
        text = playlist.multivariant(Streams("avc1.42e01f", 640, 360, 2_500_000, 128_000), "?token=t")
        (video, first), (audio, second) = rules.parse_multivariant(text)
        assert first == "video.m3u8?token=t"
        assert second == "audio.m3u8?token=t"
        assert rules.quoted(video["CODECS"]) == "avc1.42e01f,mp4a.40.2"
        assert video["RESOLUTION"] == "640x360"
        assert rules.quoted(audio["CODECS"]) == "mp4a.40.2"

    def test_offers_sound_alone_where_there_is_no_picture(self) -> None:
        text = playlist.multivariant(Streams("", 0, 0, 2_500_000, 128_000), "")
        assert [uri for _, uri in rules.parse_multivariant(text)] == ["audio.m3u8"]


def test_a_token_is_quoted() -> None:
    assert playlist.with_token("a/b+c=&d") == "?token=a%2Fb%2Bc%3D%26d"
