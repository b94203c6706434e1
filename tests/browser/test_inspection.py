"""REL-E9: an inspection in one command: drawn, fetched, checked offline, videos too."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from liveserver.cli import main
from liveserver.cli.inspection import TOKEN
from tests.browser.test_recording import sealed_recording
from tests.drivers.media import pattern_publisher
from tests.drivers.server import Server


def test_a_lesson_is_drawn_fetched_and_proven_by_one_command(
    own_server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
):
    server, lesson = own_server, own_server.demo
    with pattern_publisher(tmp_path, server.whip_url(lesson), lesson.tokens["instructor"]) as publisher:
        publisher.wait("publishing")
        publisher.wait("progress", frames=75)
        server.api("POST", f"/lessons/{lesson.id}/end", {}, role="admin")
    recording = sealed_recording(server, lesson)
    today = time.strftime("%Y-%m-%d", time.gmtime(time.time() + 8 * 3600))  # China's
    command = ["inspect", server.base_url, "--since", today, "--until", today, "--videos", "--out"]
    monkeypatch.setenv(TOKEN, lesson.tokens["inspector"])
    assert main([*command, str(tmp_path / "pulled")]) == 0, capsys.readouterr()
    assert f"{lesson.id}  " in capsys.readouterr().out
    sample = json.loads((tmp_path / "pulled/sample.json").read_text())
    assert [one["id"] for one in sample["lessons"]] == [lesson.id]
    assert (tmp_path / f"pulled/{recording['id']}.mp4").stat().st_size == recording["size"]

    # What came is checked, not what the server says of it.
    (stored,) = server.data.glob(f"recordings/objects/*/{recording['id']}.mp4")
    stored.chmod(0o600)
    with stored.open("r+b") as file:
        file.seek(recording["size"] // 2)
        file.write(b"other")
    assert main([*command, str(tmp_path / "again")]) == 1
    assert f"recording {recording['id']} is not the one that was sealed" in capsys.readouterr().out

    monkeypatch.setenv(TOKEN, lesson.tokens["learner"])
    assert main([*command, str(tmp_path / "no")]) == 1
    assert "refused with 403" in capsys.readouterr().err
    monkeypatch.delenv(TOKEN)
    assert main([*command, str(tmp_path / "no")]) == 2
