"""What screening costs and how fast it is, on this machine; the figures of docs/BENCHMARKS.md.

    python -m tests.screen.measure frames       CPU of a picture that is looked at, and of one that is decoded
    python -m tests.screen.measure modes        CPU of a lesson by mode: of the process, and of the node
    python -m tests.screen.measure detect       from a picture drawn to the last packet of any picture
    python -m tests.screen.measure restart      from a process killed or stopped to the next verdict

One JSON line each. `--cores` gives the whole server so much CPU (cgroup v1, root). Publisher and viewer run
on the same machine, outside of that.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from aiortc.rtcdtlstransport import RTCDtlsTransport

from liveserver.core.screening import Mode
from liveserver.screen.wire import Done, Looked
from loadtest.viewer import Viewer
from tests.drivers.media import Client
from tests.drivers.process import until
from tests.drivers.server import Server, request
from tests.peers.wire import children
from tests.screen import magenta
from tests.screen.media import Camera, opened
from tests.screen.test_process import Process

CGROUP = Path("/sys/fs/cgroup/cpu/lectern-measure")


def say(**fields: object) -> None:
    print(json.dumps(fields), flush=True)


@contextlib.contextmanager
def a_server(*, cores: float = 0, **environment: str) -> Iterator[Server]:
    with tempfile.TemporaryDirectory(prefix="measure-") as folder:
        server = Server(
            Path(folder) / "server",
            LIVESERVER_SCREENING_MODELS=str(magenta.folder(Path(folder) / "models")),
            **{"LIVESERVER_SCREENING_ENABLED": "true", **environment},
        )
        server.start()
        try:
            with limited(server, cores):
                yield server
        finally:
            server.stop()


@contextlib.contextmanager
def limited(server: Server, cores: float) -> Iterator[None]:
    """The server's processes, and those they start, have so many cores."""
    if not cores:
        yield
        return
    CGROUP.mkdir()
    (CGROUP / "cpu.shares").write_text("60000")  # what else runs takes nothing of them
    (CGROUP / "cpu.cfs_period_us").write_text("50000")
    (CGROUP / "cpu.cfs_quota_us").write_text(str(int(cores * 50_000)))
    assert server.process is not None
    for pid in _tree(server.process.pid):
        (CGROUP / "cgroup.procs").write_text(str(pid))
    try:
        yield
    finally:
        for pid in (CGROUP / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                Path("/sys/fs/cgroup/cpu/cgroup.procs").write_text(pid)
        CGROUP.rmdir()


def _tree(pid: int) -> Iterator[int]:
    yield pid
    for thread in Path(f"/proc/{pid}/task").iterdir():
        for child in (thread / "children").read_text().split():
            yield from _tree(int(child))


def publishing(server: Server, folder: Path, *options: str) -> Client:
    command = [sys.executable, "-m", "tests.screen.publisher", server.whip_url(server.demo)]
    return Client(folder, "publisher", [*command, server.demo.tokens["instructor"], *options])


def screen(server: Server) -> dict[str, Any]:
    rooms = request("GET", f"{server.base_url}/debug/rooms").json["rooms"]
    return next((room["stage"]["screen"] for room in rooms if room["lesson"] == server.demo.id), {})


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def processes(server: Server) -> tuple[int, int | None]:
    """The node, and its screen process."""
    assert server.process is not None
    node = children(server.process.pid)["liveserver.node"]
    pids = Path(f"/proc/{node}/task/{node}/children").read_text().split()
    found = [int(p) for p in pids if b"liveserver.screen\0" in Path(f"/proc/{p}/cmdline").read_bytes()]
    return node, found[0] if found else None


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


# --- frames -------------------------------------------------------------------------------------------


def frames(options: argparse.Namespace) -> None:
    del options
    process = Process(None)
    process.next()
    for codec, size in (
        ("h264", (640, 360)),
        ("h264", (1280, 720)),
        ("vp8", (640, 360)),
        ("vp8", (1280, 720)),
    ):
        looked, decoded = _costs(process, codec, *size)
        say(
            bench="frames", codec=codec, size=f"{size[0]}x{size[1]}", looked_ms=_ms(looked),
            looked_p95_ms=round(percentile(looked, 0.95) / 1000, 1), decoded_ms=_ms(decoded),
        )  # fmt: skip
    process.close()


def _costs(process: Process, codec: str, width: int, height: int) -> tuple[list[float], list[float]]:
    """CPU (us) of frames that were looked at, and of those that were only decoded and compared."""
    lane = width + (codec == "vp8")
    process.ask(opened(Mode.WATCH, lane))
    looked: list[float] = []
    decoded: list[float] = []
    for frame in Camera(codec, lane, width=width, height=height).take(150):
        process.ask(frame)
        was_looked_at = False
        while not isinstance(message := process.next(), Done):
            was_looked_at = was_looked_at or isinstance(message, Looked)
        (looked if was_looked_at else decoded).append(message.cost_us)
    return looked[1:], decoded


def _ms(costs: list[float]) -> float:
    return round(statistics.mean(costs) / 1000, 2)


# --- modes --------------------------------------------------------------------------------------------


def modes(options: argparse.Namespace) -> None:
    for mode in ("off", "keyframes", "watch", "screened"):
        with a_server() as server, tempfile.TemporaryDirectory() as folder:
            policy = {"mode": mode} if options.text else {"mode": mode, "rules": []}
            assert server.api("PUT", f"/lessons/{server.demo.id}/policy", policy).status == 200
            with publishing(server, Path(folder), "--size", options.size) as client:
                client.wait("publishing")
                if mode != "off":
                    until(lambda: screen(server).get("seeing") == "seeing", "it is seen", timeout_s=60)
                time.sleep(3)
                node, worker = processes(server)
                before = cpu_s(node), cpu_s(worker) if worker else 0.0
                time.sleep(options.seconds)
                after = cpu_s(node), cpu_s(worker) if worker else 0.0
                say(
                    bench="modes", mode=mode, text=options.text, size=options.size, seconds=options.seconds,
                    process_cores=round((after[1] - before[1]) / options.seconds, 3),
                    node_cores=round((after[0] - before[0]) / options.seconds, 3),
                    load=round(os.getloadavg()[0], 1),
                )  # fmt: skip


# --- detect -------------------------------------------------------------------------------------------


class Wire(Viewer):
    """A viewer that notes when packets of pictures come and throws them away."""

    def __init__(self, url: str, token: str):
        super().__init__(url, token)
        self.last_s = 0.0
        self.packets = 0
        self._types: set[int] = set()  # payload types of pictures

    async def __aenter__(self) -> Wire:
        await super().__aenter__()
        sdp = self._connection.remoteDescription.sdp
        video = next(line for line in sdp.splitlines() if line.startswith("m=video"))
        self._types = {int(number) for number in video.split()[3:]}
        for transport in {t.receiver.transport for t in self._connection.getTransceivers()}:
            self._note(transport)
        return self

    def _note(self, transport: RTCDtlsTransport) -> None:
        async def note(data: bytes, arrival_time_ms: int) -> None:
            if data[1] & 0x7F in self._types:
                self.last_s = time.time()
                self.packets += 1

        transport._handle_rtp_data = note


def detect(options: argparse.Namespace) -> None:
    asyncio.run(_detect(options))


async def _detect(options: argparse.Namespace) -> None:
    chance = random.Random(options.seed)
    took: list[float] = []
    missed = 0
    with a_server(cores=options.cores) as server, tempfile.TemporaryDirectory() as folder:
        lesson = server.demo
        assert server.api("PUT", f"/lessons/{lesson.id}/policy", {"mode": options.mode}).status == 200
        shown_ms = "2500" if options.mode == "keyframes" else "1000"
        with publishing(server, Path(folder), "--size", options.size, "--show-ms", shown_ms) as client:
            await asyncio.to_thread(client.wait, "publishing")
            async with Wire(server.whep_url(lesson), lesson.tokens["learner"]) as viewer:
                await _soon(lambda: screen(server).get("seeing") == "seeing")
                for run in range(options.runs):
                    await asyncio.sleep(chance.uniform(2, 4))
                    client.process.send_signal(signal.SIGUSR1)
                    hidden = await asyncio.to_thread(client.wait, "hidden", count=run + 1)
                    shown = next(e for e in client.events if e["event"] == "shown" and e["count"] == run + 1)
                    try:
                        await _soon(lambda: server.lesson(lesson)["cut"], 6)
                    except AssertionError:
                        missed += 1
                        continue
                    await asyncio.sleep(0.5)
                    took.append(viewer.last_s - shown["at_ms"] / 1000)
                    del hidden
                    body = {"reason": "measured"}
                    server.api("POST", f"/lessons/{lesson.id}/restore", body, role="moderator")
                    packets = viewer.packets
                    await _soon(lambda before=packets: viewer.packets > before + 10)
    say(
        bench="detect", mode=options.mode, cores=options.cores or os.cpu_count(), size=options.size,
        runs=len(took), missed=missed, p50_s=round(percentile(took, 0.5), 2),
        p95_s=round(percentile(took, 0.95), 2), max_s=round(max(took), 2), load=round(os.getloadavg()[0], 1),
    )  # fmt: skip


async def _soon(look: Any, timeout_s: float = 60) -> None:
    await asyncio.to_thread(until, look, "a state", timeout_s=timeout_s)


# --- restart ------------------------------------------------------------------------------------------


def restart(options: argparse.Namespace) -> None:
    with (
        a_server() as server,
        tempfile.TemporaryDirectory() as folder,
        publishing(server, Path(folder)) as client,
    ):
        client.wait("publishing")
        for number in (signal.SIGKILL, signal.SIGSTOP):
            ready: list[float] = []
            seen: list[float] = []
            for _ in range(options.runs):
                until(lambda: screen(server).get("seeing") == "seeing", "it is seen", timeout_s=60)
                time.sleep(3)
                _, worker = processes(server)
                assert worker is not None
                began_s = time.monotonic()
                os.kill(worker, number)
                until(lambda old=worker: _is_another(server, old), "another process", timeout_s=60)
                ready.append(time.monotonic() - began_s)
                until(lambda: screen(server)["seeing"] in ("seeing", "behind"), "it is seen", timeout_s=60)
                seen.append(time.monotonic() - began_s)
            say(
                bench="restart", signal=number.name, runs=options.runs, ready_s=round(max(ready), 2),
                seen_p50_s=round(percentile(seen, 0.5), 2), seen_max_s=round(max(seen), 2),
                load=round(os.getloadavg()[0], 1),
            )  # fmt: skip


def _is_another(server: Server, old: int) -> bool:
    found = request("GET", f"{server.base_url}/debug/rooms").json["screens"]
    return any(one["ready"] and one["pid"] != old for one in found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.screen.measure", description=__doc__.partition("\n")[0])
    kinds = parser.add_subparsers(required=True)
    for command in (frames, modes, detect, restart):
        kind = kinds.add_parser(command.__name__)
        kind.set_defaults(command=command)
        kind.add_argument("--size", default="640x360")
        kind.add_argument("--mode", default="watch", choices=[str(mode) for mode in Mode])
        kind.add_argument("--runs", type=int, default=20 if command is detect else 5)
        kind.add_argument("--seconds", type=float, default=20)
        kind.add_argument("--cores", type=float, default=0)
        kind.add_argument("--seed", type=int, default=1)
        kind.add_argument("--text", action="store_true", help="text in pictures is read, too")
    options = parser.parse_args()
    options.command(options)


if __name__ == "__main__":
    main()
