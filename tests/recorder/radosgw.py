"""A real S3 server for tests: Ceph's RADOS Gateway over one monitor and one OSD in memory, loopback only.

It enforces object locks, which the S3 servers made for tests only pretend to do. Ready after some 15 s; keeps
nothing once stopped.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path

PROGRAMS = (
    "radosgw",
    "radosgw-admin",
    "rados",
    "ceph-mon",
    "ceph-osd",
    "ceph",
    "ceph-authtool",
    "monmaptool",
)
START_TIMEOUT_S = 90
ACCESS_KEY = "AKIDTEST"
SECRET_KEY = "SECRETTESTSECRET"

_CONFIG = """[global]
fsid = {fsid}
mon host = v2:127.0.0.1:{mon2},v1:127.0.0.1:{mon1}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 4
osd pool default pgp num = 4
osd pool default pg autoscale mode = off
mon allow pool size one = true
mon max pg per osd = 1000
osd crush chooseleaf type = 0
osd objectstore = memstore
memstore device bytes = 2147483648
run dir = {folder}
log file = {folder}/$name.log
admin socket = {folder}/$name.asok
pid file = {folder}/$name.pid
mon data = {folder}/mon
osd data = {folder}/osd
keyring = {folder}/keyring
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw data = {folder}/rgw
rgw lc debug interval = 1
"""
_DATA_POOL = "default.rgw.buckets.data"


def missing() -> str:
    """Why it cannot run here, "" if it can."""
    absent = [name for name in PROGRAMS if shutil.which(name) is None]
    return f"{', '.join(absent)} not installed (tests/install-debian.sh)" if absent else ""


class RadosGateway:
    """Running once made; `stop` ends it and removes its folder."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rgw-"))
        self.port, mon2, mon1 = _free_ports(3)
        self.endpoint = f"http://127.0.0.1:{self.port}"
        self._processes: list[subprocess.Popen[bytes]] = []
        for name in ("mon", "osd", "rgw"):
            (self.folder / name).mkdir()
        config = _CONFIG.format(fsid=uuid.uuid4(), folder=self.folder, port=self.port, mon2=mon2, mon1=mon1)
        (self.folder / "c.conf").write_text(config)
        self._environment = {**os.environ, "CEPH_ARGS": f"--conf {self.folder}/c.conf"}
        try:
            self._start_monitor(mon2, mon1)
            self._start_osd()
            self._run("radosgw-admin", "user", "create", "--uid=t", "--display-name=t",
                      f"--access-key={ACCESS_KEY}", f"--secret-key={SECRET_KEY}")  # fmt: skip
            self._begin("radosgw", "-f", "-n", "client.rgw.a")
            _until(self._listens, "radosgw")
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        for process in self._processes:  # all is in memory: there is nothing to end in good order
            process.kill()
            process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def alter(self, key: str, offsets: Iterable[int]) -> None:
        """Flip a bit of each of these bytes of an object below 4 MB with one version, in the storage itself:
        no lock of S3's knows of it."""
        listed = self._run("rados", "-p", _DATA_POOL, "ls").splitlines()
        names = [name for name in listed if "__:" in name and name.endswith(f"_{key}")]
        assert len(names) == 1, names
        path = str(self.folder / "altered")
        self._run("rados", "-p", _DATA_POOL, "get", names[0], path)
        data = bytearray(Path(path).read_bytes())
        for offset in offsets:
            data[offset] ^= 0x10
        Path(path).write_bytes(data)
        self._run("rados", "-p", _DATA_POOL, "put", names[0], path)

    def expire(self) -> None:
        """Have all lifecycle rules carried out now; a day of theirs is a second here."""
        self._run("radosgw-admin", "lc", "process")

    def _start_monitor(self, mon2: int, mon1: int) -> None:
        keyring = str(self.folder / "keyring")
        for number, (name, *capabilities) in enumerate(
            (
                ("mon.", "mon", "allow *"),
                ("client.admin", "mon", "allow *", "osd", "allow *", "mgr", "allow *"),
                ("osd.0", "mon", "allow profile osd", "osd", "allow *", "mgr", "allow profile osd"),
                ("client.rgw.a", "mon", "allow rw", "osd", "allow rwx", "mgr", "allow rw"),
            )
        ):
            pairs = zip(capabilities[::2], capabilities[1::2], strict=True)
            caps = [part for kind, allowed in pairs for part in ("--cap", kind, allowed)]
            create = ["--create-keyring"] if number == 0 else []
            self._run("ceph-authtool", *create, keyring, "--gen-key", "-n", name, *caps)
        fsid = next(
            line.partition("= ")[2]
            for line in (self.folder / "c.conf").read_text().splitlines()
            if line.startswith("fsid")
        )
        monmap = str(self.folder / "monmap")
        addresses = f"[v2:127.0.0.1:{mon2},v1:127.0.0.1:{mon1}]"
        self._run("monmaptool", "--create", "--fsid", fsid, "--addv", "a", addresses, monmap)
        self._run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap, "--keyring", keyring)
        shutil.copy(keyring, self.folder / "mon" / "keyring")
        self._begin("ceph-mon", "-f", "-i", "a")
        _until(lambda: self._answers("-s"), "ceph-mon")
        self._run("ceph", "auth", "import", "-i", keyring)

    def _start_osd(self) -> None:
        number = self._run("ceph", "osd", "create").strip()
        self._run("ceph-osd", "-i", number, "--mkfs")
        self._run("ceph", "osd", "crush", "add", f"osd.{number}", "1.0", "root=default", "host=h1")
        self._begin("ceph-osd", "-f", "-i", number)
        _until(lambda: "1 up" in self._run("ceph", "osd", "stat"), "ceph-osd")

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, timeout=60, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{command[0]} failed: {done.stderr[-2000:]}")
        return done.stdout

    def _answers(self, *command: str) -> bool:
        done = subprocess.run(
            ["timeout", "5", "ceph", *command], env=self._environment, capture_output=True, check=False
        )
        return done.returncode == 0

    def _begin(self, *command: str) -> None:
        """A daemon in the foreground, which ends with the test run however that ends."""
        self._processes.append(
            subprocess.Popen(
                ["setpriv", "--pdeathsig=KILL", *command],
                env=self._environment,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                cwd=self.folder,
            )
        )

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(0.5)
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _until(ready: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while not ready():
        if time.monotonic() > deadline:
            raise RuntimeError(f"{what} does not start")
        time.sleep(0.1)


def _free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(probe.getsockname()[1]) for probe in probes]
    for probe in probes:
        probe.close()
    return ports
