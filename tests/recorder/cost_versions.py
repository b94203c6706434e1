"""What versions cost: `python -m tests.recorder.cost_versions` prints JSON. Not a test: machines differ.

A minute of a moving camera (640x360) and a moving screen (1280x720) with sound is composed and encoded; CPU
is that of the process and its start, in seconds for one minute of a lesson.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from recorder.render import Job, Target
from recorder.versions import PROFILES

from .process import REPOSITORY

SECONDS = 60


def source(folder: Path) -> Path:
    path = folder / "source.mp4"
    inputs = []
    for size in ("640x360", "1280x720"):
        inputs += ["-f", "lavfi", "-t", str(SECONDS), "-i", f"testsrc2=s={size}:r=25"]
    inputs += ["-f", "lavfi", "-t", str(SECONDS), "-i", "sine=r=48000"]
    encode = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-bf", "0", "-c:a", "aac", "-ac", "2"]
    maps = ["-map", "0", "-map", "1", "-map", "2"]
    subprocess.run(["ffmpeg", "-v", "error", *inputs, *maps, *encode, str(path)], check=True)
    return path


def cost(module: str, text: str) -> dict[str, float]:
    """CPU and wall seconds of a process."""
    before, began = os.times(), time.monotonic()
    subprocess.run(
        [sys.executable, "-m", module], input=text.encode(), check=True, cwd=REPOSITORY, capture_output=True
    )
    after = os.times()
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return {"cpu_s": round(cpu, 2), "wall_s": round(time.monotonic() - began, 2)}


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = source(folder)
        result = {}
        for versions in (("web",), ("archive",), ("web", "archive")):
            targets = tuple(Target(v, *PROFILES[v], str(folder / f"{v}.mp4")) for v in versions)
            job = Job(str(path), ("camera", "screen"), 0, SECONDS * 1000, 0, targets, os.getpid())
            result["+".join(versions)] = cost("recorder.render", job.to_json())
        hints = json.dumps({"source": str(path), "tracks": ["camera", "screen"], "model": ""})
        result["hints"] = cost("recorder.hints", hints)
        print(json.dumps(result))


if __name__ == "__main__":
    main()
