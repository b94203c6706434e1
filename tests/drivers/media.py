"""Media clients that are not browsers, as processes: our test-pattern publisher and GStreamer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from .process import end, spawn, until

REPOSITORY = Path(__file__).parents[2]
# Debian's Python has the GStreamer bindings (python3-gi); no wheel does.
SYSTEM_PYTHON = "/usr/bin/python3"
GST_CLIENT = Path(__file__).parent / "gst_client.py"


class Client:
    """A child that prints one JSON object a line; `with` it, then look at `events`."""

    def __init__(self, folder: Path, name: str, command: list[str | Path]):
        folder.mkdir(parents=True, exist_ok=True)
        self._out, self._log = folder / f"{name}.jsonl", folder / f"{name}.log"
        self._command = command
        self.process: subprocess.Popen[str] | None = None

    def __enter__(self) -> Client:
        with self._out.open("wb") as out:
            self.process = spawn(self._command, log=self._log, stdout=out.fileno(), cwd=REPOSITORY)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> int:
        assert self.process is not None
        return end(self.process, timeout_s=10)

    @property
    def events(self) -> list[dict[str, Any]]:
        whole = self._out.read_text().rpartition("\n")[0]
        return [json.loads(line) for line in whole.splitlines()]

    def wait(self, event: str, *, timeout_s: float = 20, **at_least: float) -> dict[str, Any]:
        """The first event of that name whose numbers reach `at_least`."""

        def look() -> dict[str, Any] | None:
            for entry in self.events:
                if entry["event"] == event and all(entry.get(k, 0) >= v for k, v in at_least.items()):
                    return entry
            if self.process is not None and self.process.poll() is not None:
                log = self._log.read_text(errors="replace")[-1500:]
                raise AssertionError(f"{self._out.stem} ended before “{event}”: {self.events[-3:]}\n{log}")
            return None

        return until(look, f"“{event}” {at_least} from {self._out.stem}", timeout_s=timeout_s)


def pattern_publisher(
    folder: Path, url: str, token: str, *, codec: str = "h264", size: str = "640x360", name: str = "publisher"
) -> Client:
    """Our own publisher, loadtest/publisher.py: says "publishing", then "progress" with `frames`."""
    options = ["--codec", codec, "--size", size, "--progress"]
    return Client(folder, name, [sys.executable, "-m", "loadtest.publisher", url, token, *options])


def gst_publisher(folder: Path, url: str, token: str, *, codec: str = "h264") -> Client:
    """GStreamer's webrtcbin over WHIP: "connected", then "progress" with `sent_packets`."""
    command = [SYSTEM_PYTHON, GST_CLIENT, "publish", url, token, "--codec", codec]
    return Client(folder, f"gst-publish-{codec}", command)


def gst_viewer(folder: Path, url: str, token: str) -> Client:
    """GStreamer's webrtcbin over WHEP: "connected", then "progress" with decoded `frames` and `audio`."""
    return Client(folder, "gst-view", [SYSTEM_PYTHON, GST_CLIENT, "view", url, token])


def gst_missing() -> str | None:
    """Why GStreamer cannot be used here, or None."""
    check = (
        "import gi; gi.require_version('GstWebRTC', '1.0'); from gi.repository import Gst; Gst.init(None);"
        "missing = [e for e in ('webrtcbin', 'nicesrc', 'x264enc', 'vp8enc', 'opusenc', 'avdec_h264')"
        " if not Gst.ElementFactory.find(e)]; raise SystemExit(' '.join(missing) or 0)"
    )
    try:
        run = subprocess.run([SYSTEM_PYTHON, "-c", check], check=False, capture_output=True, text=True)
    except OSError as error:
        return str(error)
    return None if run.returncode == 0 else f"GStreamer lacks: {run.stderr.strip()[-200:]}"
