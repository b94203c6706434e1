"""What a forwarded packet costs beside the least it could cost: `liveserver bench fanout`.

A lesson of 1 Mbit/s (25 pictures a second, 5 packets each) and 50 packets of sound a second goes to N viewers
with keys and addresses of their own, paced in real time. The fan-out and a floor written in C
(`floor.c`) play it in turns, in one process, with one OpenSSL, to one sink:

- `veth`: a network namespace of our own, and in it a pair of virtual cables. Packets take the whole way
  through the kernel's sending half and are counted and dropped where the other cable ends.
- `loopback`: where namespaces are not allowed. A process drains the datagrams, but the kernel's receiving
  half runs on our time, which makes both sides dearer and the ratio better than it is: trust `veth`.

CPU time of the process, both user and system, and the median of the rounds.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import json
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any, cast

from liveserver.rtp import flags, header, native
from liveserver.rtp.fanout import Fanout
from liveserver.rtp.flags import Flags
from liveserver.rtp.srtp import KEY_SIZES, Profile
from liveserver.sfu.uplink import PAIRED_ABOVE

PROFILES = {
    "AEAD_AES_128_GCM": Profile.AEAD_AES_128_GCM,
    "AES128_CM_HMAC_SHA1_80": Profile.AES128_CM_HMAC_SHA1_80,
}
GCM = "AEAD_AES_128_GCM"

_ROUNDS = 3
_TICK_S = 0.02  # a packet of sound each; a picture with every second one
_PICTURE_PACKETS = 5
_PICTURE_OCTETS = 1000
_SOUND_OCTETS = 80
_MID = b"1"
_MID_OCTETS = 8  # on the wire
_FLOOR = Path(__file__).with_name("floor.c")
# RFC 2544's network for benchmarks, all of it behind one gateway, as viewers are.
_FIRST_ADDRESS = IPv4Address("198.18.1.1")
_CABLE = """
link add floor0 type veth peer name sink0
link set floor0 up arp off
link set sink0 up arp off
address add 198.18.0.1/30 dev floor0
route add 198.18.0.0/15 via 198.18.0.2
"""

Report = dict[str, Any]
Tell = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Spent:
    """Of one round. `packets` left, `dropped` did not."""

    cpu_s: float
    wall_s: float
    packets: int
    dropped: int

    @property
    def us_per_packet(self) -> float:
        return self.cpu_s * 1e6 / max(1, self.packets + self.dropped)


@dataclass(frozen=True, slots=True)
class Sink:
    """Where the viewers are: one address for each, or one for all."""

    kind: str
    first: IPv4Address
    port: int
    apart: bool

    def address(self, viewer: int) -> tuple[str, int]:
        return str(self.first + viewer if self.apart else self.first), self.port


def measure(viewers: int, seconds: float, tell: Tell, profile: str = GCM) -> Report:
    """The report of one run, by a process of its own; `seconds` for each of the two, over all rounds."""
    described = ["--viewers", str(viewers), "--seconds", str(seconds), "--profile", profile]
    arguments = [sys.executable, "-m", __name__, *described]
    tell(f"{viewers} viewers, {seconds:g} s of the fan-out and {seconds:g} s of the floor")
    if shutil.which("unshare") and shutil.which("ip"):
        apart = ["unshare", "--map-root-user", "--net", *arguments, "--sink", "veth"]
        ran = subprocess.run(apart, capture_output=True, text=True, check=False)  # noqa: S603
        if ran.returncode == 0:
            return cast(Report, json.loads(ran.stdout))
        tell(f"no network namespace of our own: {ran.stderr.strip().splitlines()[-1:]}")
    ran = subprocess.run(arguments, stdout=subprocess.PIPE, text=True, check=True)  # noqa: S603
    return cast(Report, json.loads(ran.stdout))


def _report(viewers: int, seconds: float, profile: str, sink: Sink) -> Report:
    ticks = max(2, int(seconds / _ROUNDS / _TICK_S))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender, _compiled() as floor:
        sender.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 8 * 1024 * 1024)
        ours, theirs, arrived = [], [], []
        for _ in range(_ROUNDS):
            if floor is not None:
                theirs.append(floor(sender.fileno(), PROFILES[profile], viewers, ticks, sink))
            before = _octets_at_sink()
            ours.append(_play(sender.fileno(), PROFILES[profile], viewers, ticks, sink))
            arrived.append(_octets_at_sink() - before)
    spent = statistics.median(one.us_per_packet for one in ours)
    least = statistics.median(one.us_per_packet for one in theirs) if theirs else None
    return {
        "bench": "fanout",
        "viewers": viewers,
        "profile": profile,
        "implementation": native.IMPLEMENTATION,
        "openssl": native.REASON if native.IMPLEMENTATION == "native" else None,
        "sink": sink.kind,
        "sound_packets_together": _sound_packets(viewers),
        "us_per_packet": round(spent, 3),
        "floor_us_per_packet": round(least, 3) if least else None,
        "ratio": round(spent / least, 3) if least else None,
        "us_per_packet_rounds": [round(one.us_per_packet, 3) for one in ours],
        "floor_us_per_packet_rounds": [round(one.us_per_packet, 3) for one in theirs],
        "core_share": round(sum(one.cpu_s for one in ours) / sum(one.wall_s for one in ours), 4),
        "real_time": all(one.wall_s < ticks * _TICK_S * 1.02 + 0.05 for one in ours),
        "packets": sum(one.packets for one in ours),
        "dropped_by_socket": sum(one.dropped for one in ours),
        "all_at_sink": all(map(_is_all, arrived, ours)) if sink.apart else None,
    }


def _is_all(octets: int, spent: Spent) -> bool:
    """At least the encrypted packets; the headers of IP come on top, once for each message."""
    each_second = 2 * _PICTURE_PACKETS // 2 * (_PICTURE_OCTETS + 30) + 2 * (_SOUND_OCTETS + 30)
    return octets >= spent.packets * each_second / (_PICTURE_PACKETS + 2)


def _play(fd: int, profile: Profile, viewers: int, ticks: int, sink: Sink) -> Spent:
    """One round of the fan-out, tick by tick in real time; what is sent was made before."""
    room = Flags(1)
    room.renew(0, time.monotonic_ns() + int((ticks * _TICK_S + 600) * 1e9))
    out = native.make_fanout(fd, room)
    video, audio = _tables(out, profile, viewers, sink)
    sound = [_packet(n, n * 960, _SOUND_OCTETS) for n in range(ticks)]
    together = _sound_packets(viewers)
    pictures = [
        [_packet(n * _PICTURE_PACKETS + k, n * 3600, _PICTURE_OCTETS) for k in range(_PICTURE_PACKETS)]
        for n in range((ticks + 1) // 2)
    ]
    began_s, cpu_s = time.monotonic(), time.process_time()
    for tick in range(ticks):
        wait_s = began_s + tick * _TICK_S - time.monotonic()
        if wait_s > 0:
            time.sleep(wait_s)
        if tick % 2 == 0:
            out.send(video, pictures[tick // 2], time.monotonic_ns())
        if tick % together == together - 1:
            out.send(audio, sound[tick + 1 - together : tick + 1], time.monotonic_ns())
    cpu_s, wall_s = time.process_time() - cpu_s, time.monotonic() - began_s
    counted = out.stats
    out.close()
    return Spent(cpu_s, wall_s, counted.sent, counted.dropped)


def _sound_packets(viewers: int) -> int:
    """How many leave together: as the server does it."""
    return 2 if viewers > PAIRED_ABOVE else 1


def _tables(out: Fanout, profile: Profile, viewers: int, sink: Sink) -> tuple[int, int]:
    """Rows as viewers have them: mid, RTX for the picture, none for the sound."""
    video, audio = out.add_table(0, flags.VIDEO), out.add_table(0, flags.AUDIO)
    for number in range(viewers):
        key, salt = (secrets.token_bytes(size) for size in KEY_SIZES[profile])
        session = out.add_session(profile, key, salt, *sink.address(number))
        for row in (
            out.add_row(video, session, 4 * number + 1, 102, 4 * number + 2, 103, 4, _MID),
            out.add_row(audio, session, 4 * number + 3, 111, 0, 0, 4, _MID),
        ):
            out.set_live(row, True)
    return video, audio


def _packet(number: int, timestamp: int, size: int) -> bytes:
    return header.build(
        payload_type=96,
        sequence=number & 0xFFFF,
        timestamp=timestamp & 0xFFFFFFFF,
        ssrc=1,
        payload=bytes(size),
        marker=True,
    )


class _Plan(ctypes.Structure):
    """`plan` of floor.c."""

    _fields_ = (
        ("library", ctypes.c_char_p),
        *((name, ctypes.c_int) for name in ("fd", "profile", "viewers", "ticks")),
        *(
            (name, ctypes.c_int)
            for name in ("picture_packets", "picture_octets", "sound_packets", "sound_octets")
        ),
        ("first_address", ctypes.c_uint32),
        ("apart", ctypes.c_uint32),
        ("port", ctypes.c_uint16),
        ("gap_ns", ctypes.c_int64),
    )


class _Result(ctypes.Structure):
    """`result` of floor.c."""

    _fields_ = tuple((name, ctypes.c_int64) for name in ("cpu_ns", "wall_ns", "packets", "dropped"))


Floor = Callable[[int, Profile, int, int, Sink], Spent]


@contextlib.contextmanager
def _compiled() -> Iterator[Floor | None]:
    """The floor, or None without a compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None or not _FLOOR.is_file():
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="liveserver-floor-") as folder:
        library = Path(folder, "floor.so")
        build = [compiler, "-O2", "-shared", "-fPIC", "-o", str(library), str(_FLOOR), "-ldl"]
        subprocess.run(build, check=True)  # noqa: S603
        floor = ctypes.CDLL(str(library))

        def play(fd: int, profile: Profile, viewers: int, ticks: int, sink: Sink) -> Spent:
            plan = _Plan(_openssl().encode(), fd, profile, viewers, ticks,
                         _PICTURE_PACKETS, _PICTURE_OCTETS + _MID_OCTETS,
                         _sound_packets(viewers), _SOUND_OCTETS + _MID_OCTETS,
                         int(sink.first), sink.apart, sink.port, int(_TICK_S * 1e9))  # fmt: skip
            told = _Result()
            if floor.floor_play(ctypes.byref(plan), ctypes.byref(told)):
                raise RuntimeError("the floor finds no OpenSSL 3")
            return Spent(told.cpu_ns / 1e9, told.wall_ns / 1e9, told.packets, told.dropped)

        yield play


def _openssl() -> str:
    """The library the fan-out uses, so that both have the same ciphers."""
    if native.IMPLEMENTATION != "native":
        return "libcrypto.so.3"
    from liveserver.rtp import _fanout

    return _fanout.LIBRARY


def _octets_at_sink() -> int:
    """What came out at the other end of the cable (proc_net(5)); 0 without one."""
    for line in Path("/proc/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "sink0":
            return int(numbers.split()[0])
    return 0


@contextlib.contextmanager
def _sink(kind: str) -> Iterator[Sink]:
    if kind == "veth":
        for line in _CABLE.strip().splitlines():
            subprocess.run(["ip", *line.split()], check=True)  # noqa: S603, S607
        yield Sink(kind, _FIRST_ADDRESS, 9, apart=True)
        return
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as drained:
        drained.bind(("127.0.0.1", 0))
        drained.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024 * 1024)
        drain = "import socket, sys\ns = socket.socket(fileno=int(sys.argv[1]))\nwhile True: s.recv(65535)"
        command = [sys.executable, "-c", drain, str(drained.fileno())]
        process = subprocess.Popen(command, pass_fds=[drained.fileno()])  # noqa: S603
        try:
            yield Sink(kind, IPv4Address("127.0.0.1"), drained.getsockname()[1], apart=False)
        finally:
            process.kill()
            process.wait()


def _main() -> None:
    parser = argparse.ArgumentParser(description="One run; `liveserver bench fanout` starts it.")
    parser.add_argument("--viewers", type=int, required=True)
    parser.add_argument("--seconds", type=float, required=True)
    parser.add_argument("--profile", choices=tuple(PROFILES), default=GCM)
    parser.add_argument("--sink", choices=("veth", "loopback"), default="loopback")
    given = parser.parse_args()
    with _sink(given.sink) as sink:
        sys.stdout.write(json.dumps(_report(given.viewers, given.seconds, given.profile, sink)) + "\n")


if __name__ == "__main__":
    _main()
