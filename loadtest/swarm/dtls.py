"""The DTLS client's side of DTLS-SRTP (RFC 5764), over datagrams that somebody else carries.

pyOpenSSL alone, one context and one certificate for all: what a join costs here must not decide how many
joins a second are measured. With timers of its own for a lost flight.
"""

from __future__ import annotations

import asyncio
import datetime
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from OpenSSL import SSL

# The profile's name for OpenSSL, its number on the wire (RFC 5764 4.1.2, RFC 7714 14.2), its salt's octets.
_PROFILES = {b"SRTP_AEAD_AES_128_GCM": (7, 12), b"SRTP_AES128_CM_SHA1_80": (1, 14)}
PROFILE_NAMES = {7: "AEAD_AES_128_GCM", 1: "AES128_CM_HMAC_SHA1_80"}
_KEY_SIZE = 16
_MTU = 1200
_RECORD_HEADER = 13


class HandshakeError(Exception):
    """The handshake failed, or the certificate was not the announced one."""


@dataclass(frozen=True, slots=True)
class Keys:
    """(master key, salt) of what we send and of what we get."""

    profile: int
    ours: tuple[bytes, bytes]
    theirs: tuple[bytes, bytes]


class Identity:
    """The certificate of all viewers of this process; `fingerprint` is what SDP says of it."""

    def __init__(self, profiles: bytes = b":".join(_PROFILES)):
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "swarm")])
        now = datetime.datetime.now(datetime.UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
            .sign(key, hashes.SHA256())
        )
        self.fingerprint = _fingerprint(certificate.public_bytes(Encoding.DER))
        self.context = SSL.Context(SSL.DTLS_METHOD)
        # Self-signed on both sides; who it is, is told by the fingerprint in the SDP (RFC 8122).
        self.context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
        self.context.use_certificate(certificate)
        self.context.use_privatekey(key)
        self.context.set_cipher_list(b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:HIGH:!aNULL")
        self.context.set_tlsext_use_srtp(profiles)


class Dtls:
    """One handshake. Records go in by `receive`; `send` carries datagrams out. `closed` is set by the other
    side's leaving."""

    def __init__(self, identity: Identity, send: Callable[[bytes], None]):
        self._send = send
        self._connection = SSL.Connection(identity.context, None)
        self._connection.set_connect_state()
        self._connection.set_ciphertext_mtu(_MTU)
        self._timer: asyncio.TimerHandle | None = None
        self._done: asyncio.Future[Keys] = asyncio.get_running_loop().create_future()
        self._fingerprint = ""
        self.closed = asyncio.Event()

    async def handshake(self, fingerprint: str, timeout_s: float) -> Keys:
        """The keys agreed on with the owner of certificate `fingerprint`; HandshakeError, TimeoutError."""
        self._fingerprint = fingerprint
        self._go_on()
        try:
            return await asyncio.wait_for(self._done, timeout_s)
        finally:
            self._stop_timer()

    def receive(self, datagram: bytes) -> None:
        self._connection.bio_write(datagram)
        if not self._done.done():
            self._go_on()
            return
        try:
            self._connection.recv(_MTU)  # no application data is ever expected, but alerts are
        except SSL.ZeroReturnError:
            self.closed.set()
        except SSL.Error:
            pass

    def close(self) -> None:
        """Say close_notify, which ends the session even where nobody hears a DELETE."""
        self._stop_timer()
        if self._done.done() and not self._done.cancelled() and self._done.exception() is None:
            try:
                self._connection.shutdown()
            except SSL.Error:
                return
            self._flush()

    def _go_on(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            self._flush()
            self._arm()
            return
        except SSL.Error as error:
            self._flush()
            self._fail(f"DTLS: {error.args[0] if error.args else type(error).__name__}")
            return
        self._flush()
        self._finish()

    def _finish(self) -> None:
        self._stop_timer()
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or _fingerprint(certificate.public_bytes(Encoding.DER)) != self._fingerprint:
            self._fail("the certificate is not the one of the SDP")
            return
        profile = _PROFILES.get(self._connection.get_selected_srtp_profile())
        if profile is None:
            self._fail("no SRTP profile in common")
            return
        number, salt = profile
        material = self._connection.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (_KEY_SIZE + salt))
        keys, salts = material[: 2 * _KEY_SIZE], material[2 * _KEY_SIZE :]
        ours = keys[:_KEY_SIZE], salts[:salt]
        theirs = keys[_KEY_SIZE:], salts[salt:]
        if not self._done.done():
            self._done.set_result(Keys(number, ours, theirs))

    def _fail(self, why: str) -> None:
        self._stop_timer()
        if not self._done.done():
            self._done.set_exception(HandshakeError(why))

    def _flush(self) -> None:
        try:
            waiting = self._connection.bio_read(65536)
        except SSL.WantReadError:
            return
        for datagram in _datagrams(waiting):
            self._send(datagram)

    def _arm(self) -> None:
        self._stop_timer()
        timeout_s = self._connection.DTLSv1_get_timeout()
        if timeout_s is not None:
            self._timer = asyncio.get_running_loop().call_later(timeout_s, self._again)

    def _again(self) -> None:
        self._timer = None
        try:
            self._connection.DTLSv1_handle_timeout()
        except SSL.Error as error:
            self._fail(f"DTLS: {error}")
            return
        self._flush()
        self._arm()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _datagrams(records: bytes) -> Iterator[bytes]:
    """Whole records, as many to a datagram as fit (RFC 6347 4.1.1)."""
    datagram, position = b"", 0
    while position < len(records):
        end = position + _RECORD_HEADER + int.from_bytes(records[position + 11 : position + 13])
        if datagram and len(datagram) + end - position > _MTU:
            yield datagram
            datagram = b""
        datagram += records[position:end]
        position = end
    if datagram:
        yield datagram


def _fingerprint(der: bytes) -> str:
    return hashlib.sha256(der).digest().hex(":").upper()
