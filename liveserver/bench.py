"""What a packet, a join and an idle viewer cost this machine: `liveserver bench fanout | joins | idle`.

CPU time, not wall time: machines are shared. `joins` and `idle` start a server of their own in a folder of
their own, and real WebRTC viewers in another process, so that only the server's time is counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import socket
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

from liveserver.rtp import flags, header
from liveserver.rtp.fanout import Fanout
from liveserver.rtp.flags import Flags

_GCM, _GCM_KEY, _GCM_SALT = 7, 16, 12
_FRAMES_A_SECOND = 25
_PACKETS_A_FRAME = 5
_PACKET_BYTES = 1000  # 25 x 5 x 1000 bytes is 1 Mbit/s
_AUDIO_A_SECOND = 50
_AUDIO_BYTES = 80
_DRAIN_BYTES = 64 * 1024 * 1024
_STOP_S = 20.0
_TICKS = os.sysconf("SC_CLK_TCK")

Report = dict[str, Any]
Tell = Callable[[str], None]


def fanout(viewers: int, seconds: float, tell: Tell) -> Report:
    """Send a 1 Mbit/s picture and its sound to `viewers` rows, paced in real time, to a sink on loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, _sink() as address:
        sender.bind(("127.0.0.1", 0))
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * 1024 * 1024)
        room = Flags(1)
        room.renew(0, time.monotonic_ns() + int((seconds + 60) * 1e9))
        out = Fanout(sender.fileno(), room)
        video, audio = _tables(out, viewers, address)
        tell(f"{viewers} viewers, {seconds:g} s")
        cpu_s, wall_s = _play(out, video, audio, seconds)
        sent, dropped = out.stats.sent, out.stats.dropped
        out.close()
    packets = sent + dropped
    return {
        "bench": "fanout",
        "viewers": viewers,
        "profile": "AEAD_AES_128_GCM",
        "implementation": "python",
        "packets": packets,
        "us_per_packet": round(cpu_s * 1e6 / max(1, packets), 3),
        "core_share": round(cpu_s / wall_s, 4),
        "dropped_by_socket": dropped,
    }


def _tables(out: Fanout, viewers: int, address: tuple[str, int]) -> tuple[int, int]:
    video, audio = out.add_table(), out.add_table()
    for number in range(viewers):
        key, salt = secrets.token_bytes(_GCM_KEY), secrets.token_bytes(_GCM_SALT)
        session = out.add_session(_GCM, key, salt, *address)
        rows = (
            out.add_row(video, session, 2 * number + 1, 102, 2 * number + 0x10000, 103, 0, b""),
            out.add_row(audio, session, 2 * number + 2, 111, 0, 0, 0, b""),
        )
        for row in rows:
            out.set_live(row, True)
    return video, audio


def _play(out: Fanout, video: int, audio: int, seconds: float) -> tuple[float, float]:
    """Frame by frame in real time; (CPU seconds, wall seconds)."""
    frames = int(seconds * _FRAMES_A_SECOND)
    sound_per_frame = _AUDIO_A_SECOND // _FRAMES_A_SECOND
    began_s, cpu_s = time.monotonic(), time.process_time()
    for frame in range(frames):
        wait_s = began_s + frame / _FRAMES_A_SECOND - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        now_ns = time.monotonic_ns()
        picture = [_packet(frame * _PACKETS_A_FRAME + n, frame * 3600, _PACKET_BYTES)
                   for n in range(_PACKETS_A_FRAME)]  # fmt: skip
        out.send(video, 0, flags.VIDEO, picture, now_ns)
        for n in range(sound_per_frame):
            number = frame * sound_per_frame + n
            out.send(audio, 0, flags.AUDIO, [_packet(number, number * 960, _AUDIO_BYTES)], now_ns)
    return time.process_time() - cpu_s, time.monotonic() - began_s


def _packet(number: int, timestamp: int, size: int) -> bytes:
    return header.build(
        payload_type=96,
        sequence=number & 0xFFFF,
        timestamp=timestamp & 0xFFFFFFFF,
        ssrc=1,
        payload=bytes(size),
        marker=True,
    )


@contextlib.contextmanager
def _sink() -> Any:
    """An address that takes datagrams: its buffer fills and the kernel drops the rest, at no cost to us."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sink:
        sink.bind(("127.0.0.1", 0))
        sink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _DRAIN_BYTES)
        yield sink.getsockname()


async def joins(viewers: int, tell: Tell) -> Report:
    """Join `viewers` WebRTC viewers with data channels; the node's CPU for each."""
    async with _server(viewers, tell) as server:
        before = server.cpu_s()
        tell(f"{viewers} viewers join")
        async with server.herd() as joined:
            spent = server.cpu_s() - before
            return {
                "bench": "joins",
                "viewers": viewers,
                "cpu_ms_per_join": round(spent * 1000 / viewers, 3),
                "joins_per_s": round(viewers / joined["seconds"], 1),
            }


async def idle(viewers: int, seconds: float, tell: Tell) -> Report:
    """`viewers` connected viewers of a lesson that has not begun; the node's CPU for each second of each."""
    async with _server(viewers, tell) as server:
        rested = await server.cpu_over(seconds)
        memory = server.rss_bytes()
        async with server.herd():
            tell(f"{viewers} viewers do nothing for {seconds:g} s")
            spent = await server.cpu_over(seconds)
            grown = server.rss_bytes() - memory
    return {
        "bench": "idle",
        "viewers": viewers,
        "seconds": seconds,
        "us_per_viewer_second": round((spent - rested) * 1e6 / (viewers * seconds), 1),
        "server_core_share_empty": round(rested / seconds, 5),
        "kib_per_viewer": round(grown / 1024 / viewers, 1),
    }


class _Server:
    """A demo server in a process group of its own, and what its node uses."""

    def __init__(self, ready: dict[str, Any], node: int):
        self._ready = ready
        self._node = node

    def cpu_s(self) -> float:
        """User and system time of the node so far (proc(5), fields 14 and 15)."""
        fields = Path(f"/proc/{self._node}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    async def cpu_over(self, seconds: float) -> float:
        before = self.cpu_s()
        await asyncio.sleep(seconds)
        return self.cpu_s() - before

    def rss_bytes(self) -> int:
        pages = int(Path(f"/proc/{self._node}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    @contextlib.asynccontextmanager
    async def herd(self) -> AsyncIterator[dict[str, Any]]:
        """All learners joined, as long as the context lasts."""
        url = f"{self._ready['base_url']}/whep/{self._ready['lesson']}"
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "loadtest.herd", url,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write("\n".join([*self._ready["learner_tokens"], "", ""]).encode())
            line = await asyncio.wait_for(process.stdout.readline(), 300)
            if not line:
                raise RuntimeError("the viewers could not join; the reason is above")
            yield json.loads(line)
        finally:
            process.stdin.close()
            await _stop(process)


@contextlib.asynccontextmanager
async def _server(learners: int, tell: Tell) -> AsyncIterator[_Server]:
    with tempfile.TemporaryDirectory(prefix="liveserver-bench-") as folder:
        tell("starting a server")
        environment = {**os.environ, "LIVESERVER_DATA_DIR": folder,
                       "LIVESERVER_ROOMS_MAX_VIEWERS": str(max(1000, learners))}  # fmt: skip
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "liveserver", "demo", "--json", "--port", "0", "--learners", str(learners),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, env=environment,
            limit=64 * 1024 * 1024,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), 60)
            if not line:
                raise RuntimeError("the server did not start; try `liveserver demo`")
            yield _Server(json.loads(line), _node_of(process.pid))
        finally:
            process.terminate()
            await _stop(process)


async def _stop(process: asyncio.subprocess.Process) -> None:
    try:
        await asyncio.wait_for(process.wait(), _STOP_S)
    except TimeoutError:
        process.kill()
        await process.wait()


def _node_of(supervisor: int) -> int:
    """The child of the supervisor that is the node."""
    for child in Path(f"/proc/{supervisor}/task/{supervisor}/children").read_text().split():
        if b"liveserver.node" in Path(f"/proc/{child}/cmdline").read_bytes():
            return int(child)
    raise RuntimeError("the server has no node")
