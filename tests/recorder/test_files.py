"""What lies on disk: manifest, spool, object store, MP4 and H.264 building blocks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recorder import fmp4, h264, manifest, mp4
from recorder.objects import DiskStore, ObjectError
from recorder.spool import RecordingSpool

from .media import video

OPENED = {
    "format": 1,
    "recording": "r1",
    "lesson": "L1",
    "title": "数学 é",
    "started_at_ms": 5,
    "feed": "f",
    "retain_until_ms": None,
}
PLACE = {
    "track": "camera",
    "codec": "h264",
    "config": 1,
    "start": 0,
    "end": 9,
    "start_ms": 0,
    "duration_ms": 1,
    "samples": 1,
    "independent": True,
}


def spooled(folder: Path, fragments: int) -> RecordingSpool:
    spool = RecordingSpool(folder)
    spool.note("opened", **OPENED)
    spool.begin_file("camera.h264.mp4", b"INIT")
    for number in range(fragments):
        spool.append(
            "camera.h264.mp4",
            b"head",
            b"media%d" % number,
            through=number,
            **PLACE,
        )
    return spool


class TestManifest:
    def lines(self, tmp_path: Path) -> list[bytes]:
        spooled(tmp_path / "r1", 3)
        return (tmp_path / "r1/manifest.jsonl").read_bytes().splitlines(keepends=True)

    def test_is_canonical_utf8_lines(self, tmp_path: Path) -> None:
        first = self.lines(tmp_path)[0]
        assert "数学 é".encode() in first
        record = json.loads(first)
        assert first == manifest.canonical(record) + b"\n"

    def test_any_changed_byte_breaks_the_chain_at_its_line(self, tmp_path: Path) -> None:
        lines = self.lines(tmp_path)
        for number, line in enumerate(lines):
            for at in range(0, len(line), 7):
                changed = bytearray(line)
                changed[at] ^= 1
                records, _, _ = manifest.read(
                    b"".join([*lines[:number], bytes(changed), *lines[number + 1 :]])
                )
                assert len(records) <= number

    @pytest.mark.parametrize("order", [(0, 2, 1, 3), (0, 2, 3), (0, 1, 1, 2, 3), (1, 2, 3)])
    def test_moved_removed_doubled_lines_break_it(self, tmp_path: Path, order: tuple[int, ...]) -> None:
        lines = self.lines(tmp_path)
        records, _, _ = manifest.read(b"".join(lines[n] for n in order))
        assert len(records) < len(order)

    def test_a_torn_last_line_does_not_count(self, tmp_path: Path) -> None:
        data = b"".join(self.lines(tmp_path))
        records, _, good = manifest.read(data[:-1])
        assert (len(records), good) == (3, data[:-1].rfind(b"\n") + 1)


class TestSpool:
    def test_opening_again_finds_everything(self, tmp_path: Path) -> None:
        spooled(tmp_path / "r1", 3)
        spool = RecordingSpool(tmp_path / "r1")
        assert [f.through for f in spool.contents.fragments] == [0, 1, 2]
        assert spool.contents.opened["title"] == "数学 é"
        spool.note("closed", reason="ended")
        assert RecordingSpool(tmp_path / "r1").contents.closed == "ended"

    def test_media_without_a_line_is_cut_off(self, tmp_path: Path) -> None:
        spooled(tmp_path / "r1", 2)
        media = tmp_path / "r1/camera.h264.mp4"
        whole = media.read_bytes()
        media.write_bytes(whole + b"half a fragment")
        (tmp_path / "r1/screen.h264.mp4").write_bytes(b"INIT and no fragment")
        RecordingSpool(tmp_path / "r1")
        assert media.read_bytes() == whole
        assert not (tmp_path / "r1/screen.h264.mp4").exists()

    def test_a_full_disk_leaves_files_as_they_were(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spool = spooled(tmp_path / "r1", 1)
        before = (tmp_path / "r1/camera.h264.mp4").read_bytes()

        def full(_: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("recorder.spool.os.fsync", full)
            with pytest.raises(OSError, match="No space"):
                spool.append("camera.h264.mp4", b"h", b"m", through=9, **PLACE)
        assert (tmp_path / "r1/camera.h264.mp4").read_bytes() == before
        spool.append("camera.h264.mp4", b"h", b"m", through=9, **PLACE)
        assert [f.through for f in spool.contents.fragments] == [0, 9]


class TestDiskStore:
    def file(self, tmp_path: Path, data: bytes) -> Path:
        path = tmp_path / "source"
        path.unlink(missing_ok=True)
        path.write_bytes(data)
        return path

    def test_gives_back_any_range(self, tmp_path: Path) -> None:
        store = DiskStore(tmp_path / "objects")
        stat = store.put("L1/r1.mp4", self.file(tmp_path, b"0123456789"), 99)
        assert (stat.size, stat.retain_until_ms, stat.locked) == (10, 99, False)
        with store.open_range("L1/r1.mp4", 4) as file:
            assert file.read(3) == b"456"
        with pytest.raises(ObjectError, match="bad_range"):
            store.open_range("L1/r1.mp4", 11)

    def test_the_same_bytes_may_come_again_others_never(self, tmp_path: Path) -> None:
        store = DiskStore(tmp_path / "objects")
        store.put("L1/r1.mp4", self.file(tmp_path, b"one"), None)
        store.put("L1/r1.mp4", self.file(tmp_path, b"one"), None)
        with pytest.raises(ObjectError, match="exists"):
            store.put("L1/r1.mp4", self.file(tmp_path, b"two"), None)
        with store.open_range("L1/r1.mp4") as file:
            assert file.read() == b"one"

    def test_an_unknown_object_is_not_found(self, tmp_path: Path) -> None:
        with pytest.raises(ObjectError, match="not_found"):
            DiskStore(tmp_path).stat("L1/none.mp4")

    @pytest.mark.parametrize("key", ["../x", "/etc/passwd", "a//b", "", "a/../b", ".hidden", "a\0b", "a\n"])
    def test_a_key_stays_within_the_store(self, tmp_path: Path, key: str) -> None:
        with pytest.raises(ObjectError, match="bad_key"):
            DiskStore(tmp_path).local_path(key)


class TestFragments:
    @given(
        st.integers(0, 2**60),
        st.lists(st.tuples(st.binary(max_size=20), st.integers(0, 2**32 - 1), st.booleans()), min_size=1),
    )
    def test_the_index_reads_back(self, start: int, rows: list[tuple[bytes, int, bool]]) -> None:
        head, media = fmp4.fragment(1, 1, start, [fmp4.Sample(*row) for row in rows])
        index = fmp4.read_index(head)
        assert index.start == start
        assert index.durations == tuple(row[1] for row in rows)
        assert index.sizes == tuple(len(row[0]) for row in rows)
        assert index.syncs == tuple(row[2] for row in rows)
        assert media == b"".join(row[0] for row in rows)

    @pytest.mark.parametrize("head", [b"", b"\0" * 200, b"moof" * 40])
    def test_anything_else_is_refused(self, head: bytes) -> None:
        with pytest.raises(ValueError):
            fmp4.read_index(head)


class TestLayout:
    def track(self, *fragments: tuple[int, tuple[int, ...]]) -> mp4.MovieTrack:
        chunks = [
            mp4.Chunk(
                fmp4.Index(start, lengths, (10,) * len(lengths), (True,) * len(lengths)),
                1,
                10 * len(lengths),
                start / 90_000,
                b"",
            )
            for start, lengths in fragments
        ]
        return mp4.MovieTrack("camera", True, 90_000, [b""], chunks)

    def test_a_frame_lasts_until_the_next_over_a_gap(self) -> None:
        track = self.track((0, (3600, 3600)), (90_000, (3600, 4000)))
        mp4.lay_out([track], 0)
        assert track.durations == [3600, 86_400, 3600, 4000]

    def test_overlapping_fragments_stay_in_order(self) -> None:
        track = self.track((0, (3600, 3600)), (3000, (3600,)))
        mp4.lay_out([track], 0)
        assert track.durations == [3600, 1, 3600]

    def test_the_first_frames_start_is_kept(self) -> None:
        track = self.track((45_000, (3600,)))
        assert mp4.lay_out([track], 0).duration_ms == 540
        assert track.first == 45_000

    def test_offsets_are_where_the_bytes_go(self) -> None:
        layout = mp4.lay_out([self.track((0, (1, 1)), (2, (1,)))], 0)
        assert [at for _, _, at in layout.placed] == [len(layout.head), len(layout.head) + 20]
        assert layout.size == len(layout.head) + 30

    def test_a_lesson_of_fourteen_hours_does_not_wrap(self) -> None:
        hours = [(hour * 3600 * 90_000, (3600,)) for hour in range(15)]
        assert mp4.lay_out([self.track(*hours)], 0).duration_ms == 14 * 3_600_000 + 40


class TestH264:
    def test_splits_both_start_codes(self) -> None:
        assert h264.split(b"\0\0\0\1\x67ab\0\0\1\x68c\0\0\0\1\x65d\0") == [b"\x67ab", b"\x68c", b"\x65d"]

    @pytest.mark.parametrize(
        ("width", "height"), [(320, 240), (640, 360), (854, 480), (1280, 720), (162, 90)]
    )
    def test_finds_the_picture_size(self, width: int, height: int) -> None:
        unit = h264.access_unit(video(0.04, width=width, height=height)[0].data)
        config = h264.video_config(unit.sps, unit.pps)
        assert (unit.idr, config.width, config.height) == (True, width, height)

    def test_delimiters_are_left_out(self) -> None:
        unit = h264.access_unit(b"\0\0\1\x09\xf0\0\0\1\x41ab")
        assert unit.nals == (b"\x41ab",)
        assert unit.sample() == b"\0\0\0\3\x41ab"

    @pytest.mark.parametrize("data", [b"", b"\0\0\1", b"abc", b"\0\0\1\xe5x", b"\0\0\1\x09\xf0"])
    def test_no_picture_is_refused(self, data: bytes) -> None:
        with pytest.raises(h264.H264Error):
            h264.access_unit(data)

    @pytest.mark.parametrize("sps", [b"\x67", b"\x67\x42\xc0\x1f", b"\x67" + b"\0" * 60])
    def test_a_senseless_parameter_set_is_refused(self, sps: bytes) -> None:
        with pytest.raises(h264.H264Error):
            h264.video_config((sps,), (b"\x68\xce",))
