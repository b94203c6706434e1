"""`liveserver verify`: whatever was done to a recording's file, the fragment is named."""

from __future__ import annotations

import asyncio
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from liveserver.cli import main
from recorder import manifest
from recorder.verify import Verdict, verify

from .media import audio, in_order, video
from .process import recorder


@dataclass(frozen=True)
class Sealed:
    """A sealed file and its manifest, and where its fragments lie: (line, offset, size)."""

    file: Path
    manifest: Path
    places: tuple[tuple[int, int, int], ...]


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Sealed:
    home = tmp_path_factory.mktemp("sealed")

    async def record() -> dict[str, str]:
        async with recorder(home, "--versions", "web") as (process, node):
            event = await node.record("r1", in_order(video(14), audio(14)))
            node.client.ack("r1")
            async with asyncio.timeout(60):
                while (process.data / "spool/r1").exists():  # noqa: ASYNC110 - another process ends it
                    await asyncio.sleep(0.05)
            return event

    event = asyncio.run(record())
    objects = home / "data/objects"
    lines, _, _ = manifest.read((objects / event["manifest"]).read_bytes())
    places = tuple((n, at, lines[n]["media_size"]) for n, at in lines[-1]["placed"])
    by_offset = tuple(sorted(places, key=lambda place: place[1]))
    return Sealed(objects / event["path"], objects / event["manifest"], by_offset)


@pytest.fixture
def sealed(original: Sealed, tmp_path: Path) -> Sealed:
    """A copy that a test may spoil."""
    for path in (original.file, original.manifest):
        shutil.copyfile(path, tmp_path / path.name)
    return Sealed(tmp_path / original.file.name, tmp_path / original.manifest.name, original.places)


def told(sealed: Sealed) -> list[tuple[str, int | None]]:
    verdict = verify(sealed.file, sealed.manifest)
    assert verdict.intact == (not verdict.findings)
    return [(f.kind, f.fragment.line if f.fragment else None) for f in verdict.findings]


class TestFile:
    def test_an_untouched_file_is_intact(self, sealed: Sealed) -> None:
        assert told(sealed) == []

    @pytest.mark.parametrize("number", [0, 3, -1])
    def test_one_changed_bit_names_its_fragment(self, sealed: Sealed, number: int) -> None:
        line, at, size = sealed.places[number]
        data = bytearray(sealed.file.read_bytes())
        data[at + size // 2] ^= 1
        sealed.file.write_bytes(data)
        assert told(sealed) == [("altered", line)]

    def test_two_neighbours_and_another(self, sealed: Sealed) -> None:
        data = bytearray(sealed.file.read_bytes())
        for number in (2, 3, 7):
            data[sealed.places[number][1]] ^= 0x80
        sealed.file.write_bytes(data)
        assert told(sealed) == [("altered", sealed.places[n][0]) for n in (2, 3, 7)]

    @pytest.mark.parametrize("count", [1, 2])
    def test_a_deleted_fragment(self, sealed: Sealed, count: int) -> None:
        data = sealed.file.read_bytes()
        first, after = sealed.places[4][1], sealed.places[4 + count][1]
        sealed.file.write_bytes(data[:first] + data[after:])
        assert told(sealed) == [("deleted", line) for line, _, _ in sealed.places[4 : 4 + count]]

    def test_a_fragment_put_in(self, sealed: Sealed) -> None:
        data = sealed.file.read_bytes()
        (_, at, size), (line, before, _) = sealed.places[1], sealed.places[5]
        sealed.file.write_bytes(data[:before] + data[at : at + size] + data[before:])
        assert told(sealed) == [("inserted", line)]

    def test_a_fragment_made_longer(self, sealed: Sealed) -> None:
        data = sealed.file.read_bytes()
        line, at, size = sealed.places[5]
        sealed.file.write_bytes(data[: at + size // 2] + b"more" + data[at + size // 2 :])
        assert told(sealed) == [("altered", line)]

    def test_a_fragment_deleted_and_another_altered(self, sealed: Sealed) -> None:
        data = bytearray(sealed.file.read_bytes())
        data[sealed.places[8][1]] ^= 1
        first, after = sealed.places[2][1], sealed.places[3][1]
        sealed.file.write_bytes(bytes(data[:first] + data[after:]))
        assert told(sealed) == [("deleted", sealed.places[2][0]), ("altered", sealed.places[8][0])]

    def test_a_truncated_file(self, sealed: Sealed) -> None:
        line, at, size = sealed.places[6]
        sealed.file.write_bytes(sealed.file.read_bytes()[: at + size // 3])
        assert told(sealed) == [("truncated", line)]

    def test_bytes_at_the_end(self, sealed: Sealed) -> None:
        sealed.file.write_bytes(sealed.file.read_bytes() + b"tail")
        assert told(sealed) == [("inserted", None)]

    def test_an_altered_index(self, sealed: Sealed) -> None:
        data = bytearray(sealed.file.read_bytes())
        data[200] ^= 1
        sealed.file.write_bytes(data)
        assert told(sealed) == [("index", None)]

    def test_under_another_name(self, sealed: Sealed) -> None:
        moved = sealed.file.rename(sealed.file.with_name("lesson of monday.bin"))
        assert verify(moved, sealed.manifest).key == "L1/r1.mp4"
        data = bytearray(moved.read_bytes())
        data[sealed.places[3][1]] ^= 1
        moved.write_bytes(data)
        (found,) = verify(moved, sealed.manifest).findings
        assert found.fragment is not None
        assert found.fragment.line == sealed.places[3][0]

    def test_another_recordings_file(self, sealed: Sealed) -> None:
        sealed.file.write_bytes(bytes(100_000))
        assert not verify(sealed.file, sealed.manifest).intact

    def test_a_version_is_proven_by_the_whole_manifest(self, original: Sealed, tmp_path: Path) -> None:
        version = shutil.copyfile(original.file.with_name("r1.web.01.mp4"), tmp_path / "r1.web.01.mp4")
        whole = original.file.with_name("r1.versions.jsonl")
        assert verify(original.file, whole).intact
        assert verify(version, whole).intact
        data = bytearray(version.read_bytes())
        data[-10] ^= 1
        version.write_bytes(data)
        (found,) = verify(version, whole).findings
        assert (found.kind, found.fragment is not None) == ("altered", True)


class TestManifest:
    def verdict(self, sealed: Sealed, data: bytes, chain: str = "") -> Verdict:
        sealed.manifest.write_bytes(data)
        return verify(sealed.file, sealed.manifest, chain)

    def test_a_changed_line_is_named(self, sealed: Sealed) -> None:
        lines = sealed.manifest.read_bytes().splitlines(keepends=True)
        lines[3] = lines[3].replace(b'"type"', b'"tyqe"')
        found = self.verdict(sealed, b"".join(lines)).findings[0]
        assert (found.kind, "line 3" in found.detail) == ("manifest", True)

    def test_written_anew_it_is_found_by_the_known_chain_value(self, sealed: Sealed) -> None:
        lines, chain, _ = manifest.read(sealed.manifest.read_bytes())
        lines[0]["title"] = "Another lesson"
        forged, last = b"", manifest.CHAIN_START
        for line in lines:
            text, last = manifest.link(last, line)
            forged += text
        assert self.verdict(sealed, forged).intact  # two files alone cannot tell
        assert not self.verdict(sealed, forged, chain.hex()).intact

    def test_a_cut_last_line(self, sealed: Sealed) -> None:
        whole = sealed.manifest.read_bytes()
        assert self.verdict(sealed, whole + b'{"n":').findings[0].kind == "manifest"


class TestSpool:
    async def test_a_prefix_after_a_crash_is_proven_by_its_own_manifest(self, tmp_path: Path) -> None:
        async with recorder(tmp_path) as (process, node):
            node.client.open("r1", "L1", "", 1_780_000_000_000)
            await node.feed("r1", in_order(video(9), audio(9)))
            folder = process.data / "spool/r1"
            async with asyncio.timeout(30):
                while len(told_in(folder)) < 4:  # noqa: ASYNC110 - another process writes it
                    await asyncio.sleep(0.02)
            await process.kill()
            shutil.copytree(folder, tmp_path / "prefix")
        prefix = tmp_path / "prefix"
        media = bytearray((prefix / "camera.h264.mp4").read_bytes())
        verdict = verify(prefix / "camera.h264.mp4", prefix / "manifest.jsonl")
        assert verdict.fragments >= 2
        media[-5] ^= 1
        (prefix / "camera.h264.mp4").write_bytes(media)
        assert not verify(prefix / "camera.h264.mp4", prefix / "manifest.jsonl").intact


def told_in(folder: Path) -> list[bytes]:
    path = folder / "manifest.jsonl"
    return [x for x in path.read_bytes().split(b"\n") if b'"fragment"' in x] if path.exists() else []


class TestCommand:
    def test_exits_with_0_and_prints_the_chain(
        self, sealed: Sealed, capsys: pytest.CaptureFixture[str]
    ) -> None:
        _, chain, _ = manifest.read(sealed.manifest.read_bytes())
        assert main(["verify", str(sealed.file), "--manifest", str(sealed.manifest)]) == 0
        assert chain.hex() in capsys.readouterr().out

    def test_exits_with_1_and_names_the_fragment(
        self, sealed: Sealed, capsys: pytest.CaptureFixture[str]
    ) -> None:
        line, at, _ = sealed.places[3]
        data = bytearray(sealed.file.read_bytes())
        data[at] ^= 1
        sealed.file.write_bytes(data)
        assert main(["verify", str(sealed.file), "--manifest", str(sealed.manifest)]) == 1
        out = capsys.readouterr().out
        assert "altered: " in out
        assert f"(line {line}," in out
        assert main(["verify", str(sealed.file), "--manifest", str(sealed.manifest), "--json"]) == 1
        report = json.loads(capsys.readouterr().out)
        assert [f["line"] for f in report["findings"]] == [line]

    def test_exits_with_2_for_what_is_not_there_or_no_manifest(self, sealed: Sealed, tmp_path: Path) -> None:
        assert main(["verify", str(tmp_path / "none"), "--manifest", str(sealed.manifest)]) == 2
        assert main(["verify", str(sealed.file), "--manifest", str(tmp_path / "none")]) == 2
        assert main(["verify", str(sealed.file), "--manifest", str(sealed.file)]) == 2

    def test_without_a_manifest_a_recording_is_no_bundle(self, sealed: Sealed) -> None:
        assert main(["verify", str(sealed.file)]) == 2
