"""SRTP and SRTCP: keys, protection, replay (RFC 3711; AES-GCM: RFC 7714). The ciphers are OpenSSL's.

    SRTP    | header, CSRCs, extensions |   encrypted payload   |  tag   |
              authenticated as it is      GCM: 16 octets, AES-CM with HMAC-SHA1: 10
    SRTCP   | first 8 octets | encrypted |  tag  | E | 31-bit index |     GCM: the tag before the index
    SRTCP   | first 8 octets | encrypted | E | 31-bit index |  tag  |     AES-CM: behind it

A packet's *index* is 2^16 x rollover counter + sequence number (RFC 3711 §3.3.1). With GCM one index must
never protect two different packets: it would give the authentication key away. Hence the ciphers take the
index from their callers: the fan-out (RTP) and `OutboundKeys` (RTCP) hand each one out once.
"""

from __future__ import annotations

import hashlib
import hmac
from enum import IntEnum
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from liveserver.core.errors import PeerError
from liveserver.rtp.header import HEADER_BYTES

# A peer sends a handful of sources; thousands are an attack on memory (RELIABILITY G30). One more is refused
# and none is evicted: to forget a source's window would let its old packets be replayed.
MAX_SSRCS = 64
REPLAY_WINDOW = 1024  # packets; at 1,000 packets/s a packet may still be a second late

_GCM_TAG = 16
_HMAC_TAG = 10
_INDEX_BYTES = 4
_ENCRYPTED_FLAG = 0x80000000
_RTCP_HEADER = 8
_INDEX_END = 1 << 48
_WINDOW_MASK = (1 << REPLAY_WINDOW) - 1


class Profile(IntEnum):
    """DTLS-SRTP protection profiles (RFC 5764 §4.1.2, RFC 7714 §14.2)."""

    AES128_CM_HMAC_SHA1_80 = 1
    AEAD_AES_128_GCM = 7


# (key octets, salt octets) of the master keys, for the DTLS exporter.
KEY_SIZES = {Profile.AES128_CM_HMAC_SHA1_80: (16, 14), Profile.AEAD_AES_128_GCM: (16, 12)}


class PacketCipher(Protocol):
    """One direction's session keys for RTP, or for RTCP. Not safe for use by two threads at once.

    `index` is the packet's: 48 bits for RTP, 31 for RTCP. `header` is authenticated, not encrypted.
    `unprotect` raises PeerError `srtp_auth`.
    """

    def protect(self, ssrc: int, index: int, header: bytes, payload: bytes) -> bytes: ...

    def unprotect(self, ssrc: int, index: int, data: bytes, header_size: int) -> bytes: ...

    def protect_rtcp(self, ssrc: int, index: int, data: bytes) -> bytes: ...

    def unprotect_rtcp(self, ssrc: int, index: int, data: bytes) -> bytes: ...


class GcmCipher:
    """AEAD_AES_128_GCM with session keys (RFC 7714 §8, §9)."""

    def __init__(self, key: bytes, salt: bytes):
        self._aead = AESGCM(key)
        self._salt = int.from_bytes(salt)

    def protect(self, ssrc: int, index: int, header: bytes, payload: bytes) -> bytes:
        # IV: two null octets, SSRC, rollover counter, sequence number; exclusive-or with the salt.
        nonce = (self._salt ^ (ssrc << 48) ^ index).to_bytes(12)
        return header + self._aead.encrypt(nonce, payload, header)

    def unprotect(self, ssrc: int, index: int, data: bytes, header_size: int) -> bytes:
        nonce = (self._salt ^ (ssrc << 48) ^ index).to_bytes(12)
        header = data[:header_size]
        try:
            return header + self._aead.decrypt(nonce, data[header_size:], header)
        except InvalidTag:
            raise PeerError("srtp_auth", "the tag does not fit") from None

    def protect_rtcp(self, ssrc: int, index: int, data: bytes) -> bytes:
        # IV: two null octets, SSRC, two null octets, index; associated data: header, E and index.
        header, word = data[:_RTCP_HEADER], (_ENCRYPTED_FLAG | index).to_bytes(_INDEX_BYTES)
        nonce = (self._salt ^ (ssrc << 48) ^ index).to_bytes(12)
        return header + self._aead.encrypt(nonce, data[_RTCP_HEADER:], header + word) + word

    def unprotect_rtcp(self, ssrc: int, index: int, data: bytes) -> bytes:
        header, word = data[:_RTCP_HEADER], data[-_INDEX_BYTES:]
        nonce = (self._salt ^ (ssrc << 48) ^ index).to_bytes(12)
        try:
            return header + self._aead.decrypt(nonce, data[_RTCP_HEADER:-_INDEX_BYTES], header + word)
        except InvalidTag:
            raise PeerError("srtp_auth", "the tag does not fit") from None


class CounterCipher:
    """AES_CM_128_HMAC_SHA1_80 with session keys (RFC 3711 §4.1.1, §4.2.1).

    The AES context is made once and given a new counter block for each packet; HMAC-SHA1 keeps its two
    keyed states (RFC 2104 §4).
    """

    def __init__(self, key: bytes, salt: bytes, authentication_key: bytes):
        self._salt = int.from_bytes(salt) << 16
        self._stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()
        block = authentication_key.ljust(64, b"\0")
        self._inner = hashlib.sha1(bytes(octet ^ 0x36 for octet in block), usedforsecurity=False)
        self._outer = hashlib.sha1(bytes(octet ^ 0x5C for octet in block), usedforsecurity=False)

    def protect(self, ssrc: int, index: int, header: bytes, payload: bytes) -> bytes:
        data = header + self._crypt(ssrc, index, payload)
        return data + self._tag(data, (index >> 16).to_bytes(4))

    def unprotect(self, ssrc: int, index: int, data: bytes, header_size: int) -> bytes:
        covered = data[:-_HMAC_TAG]
        if not hmac.compare_digest(self._tag(covered, (index >> 16).to_bytes(4)), data[-_HMAC_TAG:]):
            raise PeerError("srtp_auth", "the tag does not fit")
        return covered[:header_size] + self._crypt(ssrc, index, covered[header_size:])

    def protect_rtcp(self, ssrc: int, index: int, data: bytes) -> bytes:
        word = (_ENCRYPTED_FLAG | index).to_bytes(_INDEX_BYTES)
        covered = data[:_RTCP_HEADER] + self._crypt(ssrc, index, data[_RTCP_HEADER:]) + word
        return covered + self._tag(covered, b"")

    def unprotect_rtcp(self, ssrc: int, index: int, data: bytes) -> bytes:
        covered = data[:-_HMAC_TAG]
        if not hmac.compare_digest(self._tag(covered, b""), data[-_HMAC_TAG:]):
            raise PeerError("srtp_auth", "the tag does not fit")
        return covered[:_RTCP_HEADER] + self._crypt(ssrc, index, covered[_RTCP_HEADER:-_INDEX_BYTES])

    def _crypt(self, ssrc: int, index: int, payload: bytes) -> bytes:
        """Exclusive-or with the key stream from IV = salt x 2^16 ^ SSRC x 2^64 ^ index x 2^16."""
        self._stream.reset_nonce((self._salt ^ (ssrc << 64) ^ (index << 16)).to_bytes(16))
        return self._stream.update(payload)

    def _tag(self, covered: bytes, rollover: bytes) -> bytes:
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(covered)
        inner.update(rollover)
        outer.update(inner.digest())
        return outer.digest()[:_HMAC_TAG]


def derive(key: bytes, salt: bytes, label: int, size: int) -> bytes:
    """A session key from the master key and salt, key derivation rate 0 (RFC 3711 §4.3.1, RFC 7714 §11)."""
    counter = (int.from_bytes(salt.ljust(14, b"\0")) ^ (label << 48)) << 16
    return Cipher(algorithms.AES(key), modes.CTR(counter.to_bytes(16))).encryptor().update(bytes(size))


def session_ciphers(profile: int, key: bytes, salt: bytes) -> tuple[PacketCipher, PacketCipher]:
    """The ciphers of one direction for RTP and for RTCP. ValueError: our own misuse, never a peer's."""
    chosen = Profile(profile)
    if (len(key), len(salt)) != KEY_SIZES[chosen]:
        raise ValueError(f"{chosen.name} takes a key and salt of {KEY_SIZES[chosen]} octets")
    size = len(salt)
    if chosen is Profile.AEAD_AES_128_GCM:
        return (
            GcmCipher(derive(key, salt, 0, 16), derive(key, salt, 2, size)),
            GcmCipher(derive(key, salt, 3, 16), derive(key, salt, 5, size)),
        )
    return (
        CounterCipher(derive(key, salt, 0, 16), derive(key, salt, 2, size), derive(key, salt, 1, 20)),
        CounterCipher(derive(key, salt, 3, 16), derive(key, salt, 5, size), derive(key, salt, 4, 20)),
    )


class IndexWindow:
    """Which of the newest 1,024 indices of a source were seen (RFC 3711 §3.3.2).

    `highest` is -1 before the first. Bit n of the window stands for index `highest - n`.
    """

    __slots__ = ("_seen", "highest")

    def __init__(self) -> None:
        self.highest = -1
        self._seen = 0

    def guess(self, sequence: int) -> int:
        """The index that a 16-bit `sequence` most likely has: the nearest to `highest` (RFC 3711 §3.3.1).

        Negative for a number from before the first rollover counter.
        """
        highest = self.highest
        if highest < 0:
            return sequence
        distance = (sequence - highest) & 0xFFFF
        return highest + (distance if distance < 0x8000 else distance - 0x10000)

    def is_new(self, index: int) -> bool:
        """Whether `index` was not seen and is not too old to tell."""
        behind = self.highest - index
        return behind < 0 or (behind < REPLAY_WINDOW and not self._seen >> behind & 1 and index >= 0)

    def mark(self, index: int) -> None:
        """`index` is seen from now on."""
        ahead = index - self.highest
        if ahead > 0:
            self._seen = ((self._seen << ahead) | 1) & _WINDOW_MASK if ahead < REPLAY_WINDOW else 1
            self.highest = index
        else:
            self._seen |= 1 << -ahead

    def take(self, sequence: int, floor: int = 0) -> int:
        """The index of an outgoing `sequence`, handed out once: -1 if it was, is too old or below `floor`."""
        highest = self.highest
        if (sequence - highest) & 0xFFFF == 1 and highest >= floor:  # nearly always: the next one
            self.highest = highest + 1
            self._seen = ((self._seen << 1) | 1) & _WINDOW_MASK
            return highest + 1
        index = self.guess(sequence)
        if index < floor or not self.is_new(index):
            return -1
        self.mark(index)
        return index


class InboundSession:
    """What one peer sends us: keys, and per source a rollover counter and replay windows.

    Nothing changes unless a packet was authenticated. Raises PeerError `srtp_malformed`, `srtp_auth`,
    `srtp_replay` or `srtp_sources` (more than MAX_SSRCS).
    """

    def __init__(self, profile: int, key: bytes, salt: bytes):
        self._rtp, self._rtcp = session_ciphers(profile, key, salt)
        is_gcm = profile == Profile.AEAD_AES_128_GCM
        self._tag = _GCM_TAG if is_gcm else _HMAC_TAG
        self._index_end = None if is_gcm else -_HMAC_TAG
        self._rtp_windows: dict[int, IndexWindow] = {}
        self._rtcp_windows: dict[int, IndexWindow] = {}

    def unprotect(self, data: bytes) -> bytes:
        """The RTP packet in the clear."""
        size = len(data)
        if size < HEADER_BYTES or data[0] & 0xC0 != 0x80:
            raise PeerError("srtp_malformed", "no RTP packet")
        header_size = HEADER_BYTES + 4 * (data[0] & 0x0F)
        if data[0] & 0x10:
            if size < header_size + 4:
                raise PeerError("srtp_malformed", "extension header is cut off")
            header_size += 4 + 4 * ((data[header_size + 2] << 8) | data[header_size + 3])
        if size < header_size + self._tag:
            raise PeerError("srtp_malformed", "too short for its header and tag")
        ssrc = int.from_bytes(data[8:12])
        window = self._rtp_windows.get(ssrc) or _new_window(self._rtp_windows)
        index = window.guess((data[2] << 8) | data[3])
        if not 0 <= index < _INDEX_END or not window.is_new(index):
            raise PeerError("srtp_replay", "seen already, or too old to tell")
        plain = self._rtp.unprotect(ssrc, index, data, header_size)
        window.mark(index)
        self._rtp_windows[ssrc] = window
        return plain

    def unprotect_rtcp(self, data: bytes) -> bytes:
        """The compound RTCP packet in the clear. One that is not encrypted (E = 0) is refused."""
        if len(data) < _RTCP_HEADER + self._tag + _INDEX_BYTES or data[0] & 0xC0 != 0x80:
            raise PeerError("srtp_malformed", "no SRTCP packet")
        end = len(data) if self._index_end is None else self._index_end
        word = int.from_bytes(
            data[-_INDEX_BYTES:] if self._index_end is None else data[end - _INDEX_BYTES : end]
        )
        if not word & _ENCRYPTED_FLAG:
            raise PeerError("srtp_malformed", "SRTCP is not encrypted")
        ssrc, index = int.from_bytes(data[4:8]), word ^ _ENCRYPTED_FLAG
        window = self._rtcp_windows.get(ssrc) or _new_window(self._rtcp_windows)
        if not window.is_new(index):
            raise PeerError("srtp_replay", "seen already, or too old to tell")
        plain = self._rtcp.unprotect_rtcp(ssrc, index, data)
        window.mark(index)
        self._rtcp_windows[ssrc] = window
        return plain


def _new_window(windows: dict[int, IndexWindow]) -> IndexWindow:
    """A window for a source not heard before; kept only once its first packet proves authentic."""
    if len(windows) >= MAX_SSRCS:
        raise PeerError("srtp_sources", f"more than {MAX_SSRCS} sources")
    return IndexWindow()


class OutboundKeys:
    """What we send one peer: `rtp` protects packets by index, `protect_rtcp` keeps its own index."""

    def __init__(self, profile: int, key: bytes, salt: bytes):
        self.rtp, self._rtcp = session_ciphers(profile, key, salt)
        self._rtcp_index = 0

    def protect_rtcp(self, data: bytes) -> bytes:
        """One compound packet; OverflowError after 2^31 of them, when new keys are due (RFC 3711 §9.2)."""
        index = self._rtcp_index
        if index >= _ENCRYPTED_FLAG:
            raise OverflowError("the SRTCP index is used up")
        self._rtcp_index = index + 1
        return self._rtcp.protect_rtcp(int.from_bytes(data[4:8]), index, data)
