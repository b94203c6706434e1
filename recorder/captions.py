"""Captions of a sealed recording, written by a program of the operator's: `PROGRAM FILE` prints WebVTT.

None ships: whoever has a speech recogniser names a program that runs it. It works on the sealed file in a
process of its own at the lowest priority, after the versions; what it prints is read strictly and written
anew, so that neither markup nor positions of its making reach a player (WebVTT: W3C, section 4).
"""

from __future__ import annotations

import contextlib
import html
import os
import re
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from recorder.chapters import clock
from recorder.child import StoppedError

MAX_BYTES = 4 * 1024 * 1024
MAX_CUES = 50_000
MAX_CUE_CHARS = 1_000
LONGEST_S = 6 * 3600.0  # for one recording, which is an hour of media at most
_POLL_S = 0.2
_TIMES = re.compile(
    r"(?:(\d{2,4}):)?([0-5]\d):([0-5]\d)\.(\d{3})[ \t]+-->[ \t]+(?:(\d{2,4}):)?([0-5]\d):([0-5]\d)\.(\d{3})"
    r"(?:[ \t].*)?"
)
_TAG = re.compile(r"<[^<>]*>")
_UNSEEN = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Cue:
    """What is said in [`from_ms`, `to_ms`) of the recording: plain text, lines apart by line feeds."""

    from_ms: int
    to_ms: int
    text: str


def recognised(program: str, source: Path, stop: threading.Event, longest_s: float = LONGEST_S) -> bytes:
    """What `program` prints for the file `source`, at most `MAX_BYTES`.

    Raises ValueError with the reason when it fails, prints more, or takes longer; StoppedError when the
    recorder ends; OSError when it cannot be started. It and whatever it started are gone afterwards.
    """
    ends_s = time.monotonic() + longest_s
    with (
        subprocess.Popen(  # noqa: S603 - the operator names it
            [program, str(source)],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            start_new_session=True,
            env={"PATH": os.environ.get("PATH", ""), "LANG": "C.UTF-8"},  # nothing of the bucket's keys
        ) as process,
        selectors.DefaultSelector() as selector,
    ):
        assert process.stdout is not None
        with contextlib.suppress(OSError):  # it may be gone already
            os.setpriority(os.PRIO_PROCESS, process.pid, 19)
        selector.register(process.stdout, selectors.EVENT_READ)
        said = bytearray()
        try:
            while time.monotonic() < ends_s:
                if stop.is_set():
                    raise StoppedError
                if not selector.select(_POLL_S):
                    continue
                data = os.read(process.stdout.fileno(), 1 << 16)
                if not data:
                    break
                said += data
                if len(said) > MAX_BYTES:
                    raise ValueError(f"it printed more than {MAX_BYTES >> 20} MiB")
            else:
                raise ValueError(f"it took longer than {longest_s:.0f} s")
            code = _left(process, ends_s, stop)
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    if code:
        raise ValueError(f"exit {code}")
    return bytes(said)


def _left(process: subprocess.Popen[bytes], ends_s: float, stop: threading.Event) -> int:
    """Its exit code, once it has closed its output."""
    while not stop.is_set() and time.monotonic() < ends_s:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return process.wait(_POLL_S)
    if stop.is_set():
        raise StoppedError
    raise ValueError("it closed its output and went on")


def parse(data: bytes, duration_ms: int) -> list[Cue]:
    """The cues of a WebVTT file by their start, cut to [0, `duration_ms`), without markup or positions.

    Empty ones are left out. Raises ValueError when it is no WebVTT, or holds more than can be shown.
    """
    text = data.decode("utf-8", "strict").removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    head, *blocks = re.split(r"\n{2,}", text.strip("\n"))
    if not re.match(r"WEBVTT(?:[ \t\n]|$)", head):
        raise ValueError("it did not print WebVTT")
    cues = [cue for block in blocks if (cue := _cue(block.split("\n"), duration_ms)) is not None]
    if len(cues) > MAX_CUES:
        raise ValueError(f"more than {MAX_CUES} cues")
    return sorted(cues, key=lambda cue: (cue.from_ms, cue.to_ms))


def _cue(lines: Sequence[str], duration_ms: int) -> Cue | None:
    """A block's cue; None for notes, styles, regions, and what has no time in the recording."""
    at = next((n for n in range(min(2, len(lines))) if "-->" in lines[n]), None)
    if at is None:
        return None
    found = _TIMES.fullmatch(lines[at].strip())
    if found is None:
        raise ValueError(f"no times of a cue: {lines[at][:80]!r}")
    start, end = _ms(found.groups()[:4]), min(_ms(found.groups()[4:]), duration_ms)
    plain = html.unescape(_TAG.sub("", "\n".join(lines[at + 1 :])))
    plain = _UNSEEN.sub("", plain)[:MAX_CUE_CHARS].strip()
    return Cue(start, end, plain) if plain and start < end else None


def _ms(groups: Sequence[str | None]) -> int:
    hours, minutes, seconds, ms = (int(group or 0) for group in groups)
    return ((hours * 60 + minutes) * 60 + seconds) * 1000 + ms


def webvtt(cues: Sequence[Cue]) -> str:
    """`cues` as a WebVTT file (`<track kind="captions">`)."""
    blocks = (f"{clock(cue.from_ms)} --> {clock(cue.to_ms)}\n{_escaped(cue.text)}\n" for cue in cues)
    return "\n".join(("WEBVTT\n", *blocks))


def _escaped(text: str) -> str:
    return re.sub(r"\n{2,}", "\n", text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
