"""DTLS-SRTP (RFC 5764) as the passive side, over pyOpenSSL, driven by whoever reads the datagrams.

There is no task and no queue per peer: a datagram is handed to OpenSSL, and what OpenSSL wants to say is
sent before `receive` returns. A timer runs only while a flight of the handshake may have to be repeated.
"""

from __future__ import annotations

import asyncio
import datetime
import hmac
import secrets
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

MAX_RECORD_BYTES = 16 * 1024
MAX_DATAGRAM_BYTES = 1200  # what passes any path; records are sent together up to this size
MAX_DATAGRAMS_A_SECOND = 1_000  # from one peer; the largest message takes 60, a talkative learner ten
_RECORD_HEADER_BYTES = 13  # RFC 6347 4.1; its last two bytes are the length of what follows
_VALID = datetime.timedelta(days=3650)  # made anew at each start, and trusted by its fingerprint alone
_LABEL = b"EXTRACTOR-dtls_srtp"
_CIPHERS = (
    b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    b"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-SHA:ECDHE-ECDSA-AES256-SHA"
)
_DIGESTS = {"sha-256": "sha256", "sha-384": "sha384", "sha-512": "sha512"}  # RFC 8122 5 → OpenSSL


@dataclass(frozen=True, slots=True)
class _Profile:
    """An SRTP protection profile: its number (RFC 5764 4.1.2, RFC 7714 14.2), its sizes in bytes."""

    number: int
    key: int
    salt: int


_PROFILES = {b"SRTP_AEAD_AES_128_GCM": _Profile(7, 16, 12), b"SRTP_AES128_CM_SHA1_80": _Profile(1, 16, 14)}


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Master keys and salts of a finished handshake; `inbound` protects what the peer sends."""

    profile: int
    inbound_key: bytes
    inbound_salt: bytes
    outbound_key: bytes
    outbound_salt: bytes


class Certificate:
    """The node's DTLS identity, with one OpenSSL context shared by every peer."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, profiles: Iterable[bytes]
    ):
        self.context = _context(key, certificate, b":".join(profiles))
        self.fingerprint = certificate.fingerprint(hashes.SHA256()).hex(":").upper()
        """SHA-256 of the certificate, as `a=fingerprint` prints it."""

    @classmethod
    def generate(cls, profiles: Iterable[bytes] = tuple(_PROFILES)) -> Certificate:
        """ECDSA P-256, signed by itself, under a random name (RFC 8827 6.5); SRTP profiles, best first."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, secrets.token_hex(16))])
        now = datetime.datetime.now(datetime.UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + _VALID)
            .sign(key, hashes.SHA256())
        )
        return cls(key, made, profiles)


class DtlsEvents(Protocol):
    """What the owner of a session is told, from inside `receive` or a timer; it may close the session."""

    def secured(self, keys: SrtpKeys) -> None:
        """The handshake is done and the peer is who its offer said."""

    def received(self, data: bytes) -> None:
        """Application data: one SCTP packet."""

    def ended(self, reason: str) -> None:
        """ "dtls_failed": no handshake, or another certificate; "left": the peer took leave."""


class Dtls:
    """One session. States: handshaking → secured → closed; nothing is said or heard once closed."""

    def __init__(
        self,
        certificate: Certificate,
        fingerprints: Sequence[tuple[str, str]],
        send: Callable[[bytes], None],
        events: DtlsEvents,
    ):
        self._fingerprints = fingerprints
        self._send_datagram = send
        self._events = events
        self._ssl = SSL.Connection(certificate.context)
        self._ssl.set_accept_state()
        self._ssl.set_ciphertext_mtu(MAX_DATAGRAM_BYTES)
        self._repeat: asyncio.TimerHandle | None = None
        self._loop = asyncio.get_running_loop()
        self._second = 0
        self._in_this_second = 0
        self.dropped = 0
        self.is_secured = False
        self.is_closed = False

    def receive(self, datagram: bytes) -> None:
        """One datagram (first byte 20-63) from the validated address; dropped beyond the bound per second."""
        if self.is_closed or not self._is_within_bound():
            return
        if not self.is_secured:
            self._ssl.bio_write(datagram)
            self._shake_hands()
            return
        for record in _records(datagram):
            self._ssl.bio_write(record)
            self._read()

    def send(self, data: bytes) -> None:
        """Send application data; raises ConnectionError before the handshake and after the end."""
        if self.is_closed or not self.is_secured:
            raise ConnectionError("no DTLS session")
        try:
            self._ssl.send(data)
        except SSL.Error as error:  # the peer has shut its side
            raise ConnectionError("the DTLS session is closed") from error
        self._flush()

    def close(self) -> None:
        """Say close_notify and let go of everything. Idempotent."""
        if self.is_closed:
            return
        self.is_closed = True
        self._cancel_repeat()
        try:
            self._ssl.shutdown()
        except SSL.Error:  # not far enough to be shut down
            return
        self._flush()

    def _is_within_bound(self) -> bool:
        """Whether there is time for another datagram of this peer: one who floods slows nobody else."""
        second = int(self._loop.time())
        if second != self._second:
            self._second, self._in_this_second = second, 0
        self._in_this_second += 1
        if self._in_this_second <= MAX_DATAGRAMS_A_SECOND:
            return True
        self.dropped += 1
        return False

    def _shake_hands(self) -> None:
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            self._flush()
            self._arm_repeat()
            return
        except SSL.Error:
            self._fail()
            return
        self._flush()
        keys = self._keys() if self._is_expected_peer() else None
        if keys is None:
            self._fail()
            return
        self._cancel_repeat()
        self._arm_repeat()
        self.is_secured = True
        self._events.secured(keys)
        self._read()  # what came in the same datagram as the last of the handshake

    def _fail(self) -> None:
        self._flush()  # the alert that says why
        self._cancel_repeat()
        self._events.ended("dtls_failed")

    def _read(self) -> None:
        """Take one record that OpenSSL has been given."""
        if self.is_closed:
            return
        try:
            data = self._ssl.recv(MAX_RECORD_BYTES)
        except SSL.ZeroReturnError:
            self._events.ended("left")
            return
        except SSL.Error:  # a repeated or damaged record: nothing in it is for us
            self._flush()
            return
        self._events.received(data)

    def _flush(self) -> None:
        """Send what OpenSSL has written, as few datagrams as records allow."""
        try:
            written = self._ssl.bio_read(MAX_RECORD_BYTES)
        except SSL.Error:  # nothing was written
            return
        if len(written) <= MAX_DATAGRAM_BYTES:
            self._send_datagram(written)
            return
        waiting = b""
        for record in _records(written):
            if waiting and len(waiting) + len(record) > MAX_DATAGRAM_BYTES:
                self._send_datagram(waiting)
                waiting = b""
            waiting += record
        self._send_datagram(waiting)

    def _is_expected_peer(self) -> bool:
        """At least one fingerprint in a known digest, and each of those is right (RFC 8122 5)."""
        certificate = self._ssl.get_peer_certificate()
        known = [(_DIGESTS.get(name.lower()), value) for name, value in self._fingerprints]
        checked = [
            hmac.compare_digest(certificate.digest(name), value.upper().encode())
            for name, value in known
            if certificate is not None and name is not None
        ]
        return bool(checked) and all(checked)

    def _keys(self) -> SrtpKeys | None:
        profile = _PROFILES.get(self._ssl.get_selected_srtp_profile())
        if profile is None:
            return None
        size, salt = profile.key, profile.salt
        material = self._ssl.export_keying_material(_LABEL, 2 * (size + salt))
        keys, salts = material[: 2 * size], material[2 * size :]
        return SrtpKeys(profile.number, keys[:size], salts[:salt], keys[size:], salts[salt:])

    def _arm_repeat(self) -> None:
        """See to it that the flight on its way is repeated if it must be (RFC 6347 4.2.4)."""
        if self._repeat is None and not self.is_closed:
            wait_s = self._ssl.DTLSv1_get_timeout()
            if wait_s is not None:
                self._repeat = self._loop.call_later(wait_s, self._repeat_flight)

    def _repeat_flight(self) -> None:
        self._repeat = None
        try:
            self._ssl.DTLSv1_handle_timeout()  # does nothing when an answer has come meanwhile
        except SSL.Error:  # repeated too often
            self._fail()
            return
        self._flush()
        self._arm_repeat()

    def _cancel_repeat(self) -> None:
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = None


def _context(key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, profiles: bytes) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_RENEGOTIATION)
    context.set_session_cache_mode(SSL.SESS_CACHE_OFF)  # nobody resumes: the keys must be the peer's own
    # Any certificate passes here: whose it is, its fingerprint decides (`_is_expected_peer`).
    context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_: True)
    context.use_certificate(certificate)
    context.use_privatekey(key)
    context.set_cipher_list(_CIPHERS)
    context.set_tlsext_use_srtp(profiles)
    return context


def _records(datagram: bytes) -> Iterator[bytes]:
    """The DTLS records in a datagram; a damaged one ends it."""
    start = 0
    while start + _RECORD_HEADER_BYTES <= len(datagram):
        end = start + _RECORD_HEADER_BYTES + int.from_bytes(datagram[start + 11 : start + 13], "big")
        if end > len(datagram):
            return
        yield datagram[start:end]
        start = end
