"""coturn as deploy/coturn/turnserver.conf sets it up, and a client of it without a browser's good manners."""

from __future__ import annotations

import datetime
import hashlib
import hmac
import ipaddress
import os
import secrets
import shutil
import socket
import ssl
import struct
from dataclasses import dataclass, field
from pathlib import Path

from liveserver.certificate import self_signed
from tests.drivers.process import end, spawn, until

CONFIG = Path(__file__).parents[2] / "deploy/coturn/turnserver.conf"
PROGRAM = shutil.which("turnserver")
SECRET = secrets.token_hex(16)
# Outside the range a program is given ports from, so that a firewall rule can tell the relay's packets.
RELAY_PORTS = (61_001, 65_000)

_COOKIE = 0x2112A442
_ALLOCATE, _CREATE_PERMISSION, _SEND = 0x0003, 0x0008, 0x0016
_ERROR_CLASS = 0x0110
_USERNAME, _INTEGRITY, _ERROR, _DATA, _REALM, _NONCE = 0x0006, 0x0008, 0x0009, 0x0013, 0x0014, 0x0015
_PEER, _FAMILY, _TRANSPORT = 0x0012, 0x0017, 0x0019


class Coturn:
    """The shipped configuration with only the lines changed that every operator changes, started for real."""

    def __init__(self, folder: Path, address: str, now: datetime.datetime):
        folder.mkdir(parents=True, exist_ok=True)
        self.address = address
        self.port, self.tls_port = (_free_port(address) for _ in range(2))
        self._log = folder / "coturn.log"
        self.chain, key = self_signed(folder / "tls", [address], now)
        self.trust = ssl.create_default_context(cafile=str(self.chain))
        self._config = folder / "turnserver.conf"
        self._config.write_text(
            _changed(
                CONFIG.read_text(),
                {
                    "listening-ip": (address, "::1"),
                    "relay-ip": (address, "::1"),
                    "listening-port": (self.port,),
                    "tls-listening-port": (self.tls_port,),
                    "min-port": (RELAY_PORTS[0],),
                    "max-port": (RELAY_PORTS[1],),
                    "static-auth-secret": (SECRET,),
                    "cert": (self.chain,),
                    "pkey": (key,),
                    "allowed-peer-ip": (address,),
                    "userdb": (folder / "turndb",),
                    "pidfile": (folder / "pid",),
                },
            ).replace("\nsyslog\n", "\nlog-file=stdout\nverbose\n")
        )

    def __enter__(self) -> Coturn:
        assert PROGRAM is not None
        self.process = spawn([PROGRAM, "-c", self._config], log=self._log)
        until(self._listens, "coturn listening", timeout_s=15)
        return self

    def __exit__(self, *_: object) -> None:
        end(self.process, timeout_s=5)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def url(self, transport: str) -> str:
        return f"turn:{self.address}:{self.port}?transport={transport}"

    def _listens(self) -> bool:
        assert self.process.poll() is None, self.log[-2000:]
        with socket.socket() as sock:
            return sock.connect_ex((self.address, self.port)) == 0


def _free_port(address: str) -> int:
    with socket.socket() as sock:
        sock.bind((address, 0))
        return sock.getsockname()[1]


def _changed(text: str, values: dict[str, tuple[object, ...]]) -> str:
    """`text` with other values for keys that must be there."""
    lines = []
    for line in text.splitlines():
        key = line.partition("=")[0]
        lines += [f"{key}={value}" for value in values.pop(key)] if key in values else [line]
    assert not values, f"no such line in turnserver.conf: {sorted(values)}"
    return "\n".join(lines) + "\n"


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """coturn's answer was an error (RFC 8489 14.8)."""

    def __init__(self, code: int):
        super().__init__(f"TURN error {code}")
        self.code = code


@dataclass(slots=True)
class Allocation:
    """One client of the relay, over UDP or TLS. It asks for what no browser would."""

    server: Coturn
    username: str
    credential: str
    family: int = 4
    tls: bool = False
    realm: bytes = b""
    nonce: bytes = b""
    sock: socket.socket = field(init=False)

    def __post_init__(self) -> None:
        host = self.server.address if self.family == 4 else "::1"
        if self.tls:
            plain = socket.create_connection((host, self.server.tls_port), timeout=5)
            self.sock = self.server.trust.wrap_socket(plain, server_hostname=host)
            return
        self.sock = socket.socket(socket.AF_INET if self.family == 4 else socket.AF_INET6, socket.SOCK_DGRAM)
        self.sock.settimeout(5)
        self.sock.connect((host, self.server.port))

    def __enter__(self) -> Allocation:
        """Allocate (RFC 8656 section 7); `Refused` when coturn will not."""
        wanted = _attribute(_TRANSPORT, bytes([socket.IPPROTO_UDP, 0, 0, 0]))
        wanted += _attribute(_FAMILY, bytes([1 if self.family == 4 else 2, 0, 0, 0]))
        try:
            try:
                self._ask(_ALLOCATE, wanted)
            except Refused as challenge:
                if challenge.code != 401:
                    raise
                self._ask(_ALLOCATE, wanted)
        except Refused:
            self.sock.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.sock.close()

    def permit(self, peer: str, port: int = 9) -> None:
        """CreatePermission (RFC 8656 section 10)."""
        self._ask(_CREATE_PERMISSION, _attribute(_PEER, _xored(peer, port)))

    def send(self, peer: str, port: int, data: bytes) -> None:
        """A Send indication, with or without a permission; nobody answers those."""
        body = _attribute(_PEER, _xored(peer, port)) + _attribute(_DATA, data)
        self.sock.send(struct.pack("!HHI12s", _SEND, len(body), _COOKIE, _TRANSACTION) + body)

    def _ask(self, method: int, body: bytes) -> None:
        if self.nonce:
            body += _attribute(_USERNAME, self.username.encode())
            body += _attribute(_REALM, self.realm) + _attribute(_NONCE, self.nonce)
            key = hashlib.md5(b":".join((self.username.encode(), self.realm, self.credential.encode())))
            head = struct.pack("!HHI12s", method, len(body) + 24, _COOKIE, _TRANSACTION)
            body += _attribute(_INTEGRITY, hmac.new(key.digest(), head + body, hashlib.sha1).digest())
        self.sock.send(struct.pack("!HHI12s", method, len(body), _COOKIE, _TRANSACTION) + body)
        answer = self.sock.recv(2048)
        attributes = dict(_attributes(answer))
        self.realm, self.nonce = attributes.get(_REALM, self.realm), attributes.get(_NONCE, self.nonce)
        if struct.unpack_from("!H", answer)[0] & _ERROR_CLASS == _ERROR_CLASS:
            code = attributes[_ERROR]
            raise Refused(code[2] * 100 + code[3])


_TRANSACTION = bytes(12)  # one question at a time on a socket of its own: any will do


def _attribute(kind: int, value: bytes) -> bytes:
    return struct.pack("!HH", kind, len(value)) + value + bytes(-len(value) % 4)


def _attributes(message: bytes):
    at = 20
    while at + 4 <= len(message):
        kind, size = struct.unpack_from("!HH", message, at)
        yield kind, message[at + 4 : at + 4 + size]
        at += 4 + size + -size % 4


def _xored(peer: str, port: int) -> bytes:
    """XOR-PEER-ADDRESS (RFC 8489 14.2) under an all-zero transaction id."""
    address = ipaddress.ip_address(peer)
    mask = struct.pack("!I", _COOKIE) + _TRANSACTION
    packed = bytes(a ^ b for a, b in zip(address.packed, mask, strict=False))
    return struct.pack("!BBH", 0, 1 if address.version == 4 else 2, port ^ _COOKIE >> 16) + packed


def missing() -> str | None:
    """Why coturn cannot be used here, or None."""
    return None if PROGRAM else "coturn is not installed (tests/install-debian.sh)"


def can_filter() -> bool:
    """Whether firewall rules can be made: as root, which the tests of the namespace may be."""
    return os.geteuid() == 0 and shutil.which("iptables") is not None
