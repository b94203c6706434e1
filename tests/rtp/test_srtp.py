"""RFC 3711 and RFC 7714: the published vectors, libsrtp in both directions, replay, hostile input."""

from __future__ import annotations

import contextlib
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.core.errors import PeerError
from liveserver.rtp import header, srtp
from liveserver.rtp.srtp import InboundSession, OutboundKeys, Profile

GCM, CM = Profile.AEAD_AES_128_GCM, Profile.AES128_CM_HMAC_SHA1_80
KEYS = {profile: (bytes(range(16)), bytes(range(64, 64 + srtp.KEY_SIZES[profile][1]))) for profile in Profile}
both_profiles = pytest.mark.parametrize("profile", [GCM, CM], ids=["gcm", "cm"])


def packet(sequence: int, ssrc: int = 7, payload: bytes = b"media", **fields) -> bytes:
    return header.build(
        payload_type=96,
        sequence=sequence & 0xFFFF,
        timestamp=90 * sequence,
        ssrc=ssrc,
        payload=payload,
        **fields,
    )


def protect(keys: OutboundKeys, plain: bytes, index: int) -> bytes:
    parsed = header.parse(plain)
    offset = parsed.payload_offset
    return keys.rtp.protect(parsed.ssrc, index, plain[:offset], plain[offset:])


def sender(profile: Profile) -> OutboundKeys:
    return OutboundKeys(profile, *KEYS[profile])


def receiver(profile: Profile) -> InboundSession:
    return InboundSession(profile, *KEYS[profile])


def code_of(call, *arguments) -> str:
    with pytest.raises(PeerError) as refused:
        call(*arguments)
    return refused.value.code


class TestPublishedVectors:
    def test_rfc_3711_b2_key_stream(self):
        key = bytes.fromhex("2B7E151628AED2A6ABF7158809CF4F3C")
        salt = bytes.fromhex("F0F1F2F3F4F5F6F7F8F9FAFBFCFD")
        stream = srtp.CounterCipher(key, salt, bytes(20)).protect(0, 0, b"", bytes(48))[:-10]
        assert stream == bytes.fromhex(
            "E03EAD0935C95E80E166B16DD92B4EB4D23513162B02D0F72A43A2FE4A5F97AB41E95B3BB0A2E8DD477901E4FCA894C0"
        )

    def test_rfc_3711_b3_key_derivation(self):
        key = bytes.fromhex("E1F97A0D3E018BE0D64FA32C06DE4139")
        salt = bytes.fromhex("0EC675AD498AFEEBB6960B3AABE6")
        assert srtp.derive(key, salt, 0, 16) == bytes.fromhex("C61E7A93744F39EE10734AFE3FF7A087")
        assert srtp.derive(key, salt, 2, 14) == bytes.fromhex("30CBBC08863D8C85D49DB34A9AE1")
        assert srtp.derive(key, salt, 1, 94) == bytes.fromhex(
            "CEBE321F6FF7716B6FD4AB49AF256A156D38BAA48F0A0ACF3C34E2359E6CDBCEE049646C43D9327AD175578EF72270986371"
            "C10C9A369AC2F94A8C5FBCDDDC256D6E919A48B610EF17C2041E474035766B68642C59BBFC2F34DB60DBDFB2"
        )

    RFC_7714 = (bytes(range(16)), b"Quid pro quo")
    RTP = bytes.fromhex("8040f17b8041f8d35501a0b2") + b"Gallia est omnis divisa in partes tres"
    SRTP = bytes.fromhex(
        "8040f17b8041f8d35501a0b2f24de3a3fb34de6cacba861c9d7e4bcabe633bd50d294e6f42a5f47a51c7d19b36de3adf8833"
        "899d7f27beb16a9152cf765ee4390cce"
    )
    RTCP = bytes.fromhex(
        "81c8000d4d6172734e5450314e545032525450200000042a0000e9304c756e61deadbeefdeadbeefdeadbeefdeadbeefdeadbeef"
    )
    SRTCP = bytes.fromhex(
        "81c8000d4d61727363e94885dcdab67ca727d7662f6b7e997ff5c0f76c06f32dc676a5f1730d6fda4ce09b4686303ded0bb9275b"
        "c84aa45896cf4d2fc5abf87245d9eade800005d4"
    )

    def test_rfc_7714_16_1_srtp(self):
        cipher = srtp.GcmCipher(*self.RFC_7714)
        assert cipher.protect(0x5501A0B2, 0xF17B, self.RTP[:12], self.RTP[12:]) == self.SRTP
        assert cipher.unprotect(0x5501A0B2, 0xF17B, self.SRTP, 12) == self.RTP

    def test_rfc_7714_17_1_srtcp(self):
        cipher = srtp.GcmCipher(*self.RFC_7714)
        assert cipher.protect_rtcp(0x4D617273, 0x5D4, self.RTCP) == self.SRTCP
        assert cipher.unprotect_rtcp(0x4D617273, 0x5D4, self.SRTCP) == self.RTCP


@both_profiles
class TestAgainstLibsrtp:
    FIRST, LAST = 65500, 65536 + 65536 + 40  # two wraps of the sequence number

    def test_they_read_what_we_send_over_wraps(self, profile, libsrtp):
        keys, theirs = sender(profile), libsrtp(profile, b"".join(KEYS[profile]), False)
        for index in (*range(self.FIRST, 65600), *range(65600, self.LAST, 997), *range(131000, self.LAST)):
            plain = packet(index, payload=bytes(index % 1200), extensions={1: b"0"})
            assert theirs.unprotect(protect(keys, plain, index)) == plain

    def test_we_read_what_they_send_over_wraps(self, profile, libsrtp):
        session, theirs = receiver(profile), libsrtp(profile, b"".join(KEYS[profile]), True)
        for index in (*range(self.FIRST, 65600), *range(65600, self.LAST, 997), *range(131073, self.LAST)):
            plain = packet(index, payload=bytes(index % 1200), csrcs=(1, 2), extensions={1: b"0"}, padding=4)
            assert session.unprotect(theirs.protect(plain)) == plain

    def test_packets_out_of_order_around_the_wrap_are_read(self, profile, libsrtp):
        session, theirs = receiver(profile), libsrtp(profile, b"".join(KEYS[profile]), True)
        sent = [(packet(n), theirs.protect(packet(n))) for n in range(65400, 65700)]
        for start in range(0, 300, 50):
            chunk = sent[start : start + 50]
            random.Random(start).shuffle(chunk)
            for plain, wire in chunk:
                assert session.unprotect(wire) == plain

    def test_rtcp_in_both_directions(self, profile, libsrtp):
        keys = b"".join(KEYS[profile])
        ours, theirs = sender(profile), libsrtp(profile, keys, True)
        session, their_session = receiver(profile), libsrtp(profile, keys, False)
        for size in range(0, 400, 4):
            plain = b"\x80\xc9\x00\x01\x00\x00\x00\x07" + bytes(size)
            assert session.unprotect_rtcp(theirs.protect_rtcp(plain)) == plain
            assert their_session.unprotect_rtcp(ours.protect_rtcp(plain)) == plain


@both_profiles
class TestReplay:
    def test_a_packet_is_taken_once(self, profile):
        keys, session = sender(profile), receiver(profile)
        wire = protect(keys, packet(5), 5)
        session.unprotect(wire)
        assert code_of(session.unprotect, wire) == "srtp_replay"

    def test_rtcp_is_taken_once(self, profile):
        keys, session = sender(profile), receiver(profile)
        wire = keys.protect_rtcp(b"\x80\xc9\x00\x01\x00\x00\x00\x07")
        session.unprotect_rtcp(wire)
        assert code_of(session.unprotect_rtcp, wire) == "srtp_replay"

    def test_a_late_packet_is_taken_within_the_window_only(self, profile):
        keys, session = sender(profile), receiver(profile)
        session.unprotect(protect(keys, packet(3000), 3000))
        session.unprotect(protect(keys, packet(3000 - 1023), 3000 - 1023))
        assert code_of(session.unprotect, protect(keys, packet(3000 - 1024), 3000 - 1024)) == "srtp_replay"

    def test_a_packet_from_before_the_first_wrap_cannot_exist(self, profile):
        keys, session = sender(profile), receiver(profile)
        session.unprotect(protect(keys, packet(0), 0))
        assert code_of(session.unprotect, protect(keys, packet(65535), 65535)) == "srtp_replay"

    def test_sources_have_windows_of_their_own(self, profile):
        keys, session = sender(profile), receiver(profile)
        for ssrc in range(srtp.MAX_SSRCS):
            session.unprotect(protect(keys, packet(9, ssrc), 9))

    def test_the_sixty_fifth_source_is_refused_and_the_others_go_on(self, profile):
        keys, session = sender(profile), receiver(profile)
        for ssrc in range(srtp.MAX_SSRCS):
            session.unprotect(protect(keys, packet(9, ssrc), 9))
        assert code_of(session.unprotect, protect(keys, packet(9, 99), 9)) == "srtp_sources"
        session.unprotect(protect(keys, packet(10, 3), 10))


@both_profiles
class TestAuthentication:
    def test_any_changed_octet_is_refused(self, profile):
        keys, session = sender(profile), receiver(profile)
        wire = protect(keys, packet(5, extensions={1: b"0"}), 5)
        for position in range(len(wire)):
            forged = wire[:position] + bytes((wire[position] ^ 1,)) + wire[position + 1 :]
            assert code_of(session.unprotect, forged) in {"srtp_auth", "srtp_malformed"}
        session.unprotect(wire)

    def test_any_changed_octet_of_rtcp_is_refused(self, profile):
        keys, session = sender(profile), receiver(profile)
        wire = keys.protect_rtcp(b"\x80\xc9\x00\x01\x00\x00\x00\x07")
        for position in range(len(wire)):
            forged = wire[:position] + bytes((wire[position] ^ 1,)) + wire[position + 1 :]
            assert code_of(session.unprotect_rtcp, forged) in {"srtp_auth", "srtp_malformed"}
        session.unprotect_rtcp(wire)

    def test_forgeries_change_no_state(self, profile):
        keys, session = sender(profile), receiver(profile)
        session.unprotect(protect(keys, packet(5), 5))
        for sequence in (6, 30000, 60000, 65535):  # each would move the window, or the rollover counter
            assert code_of(session.unprotect, packet(sequence) + bytes(16)) in {"srtp_auth", "srtp_replay"}
        for ssrc in range(100, 300):  # each would take a source's place
            assert code_of(session.unprotect, packet(1, ssrc) + bytes(16)) == "srtp_auth"
        session.unprotect(protect(keys, packet(6), 6))

    def test_other_keys_are_refused(self, profile):
        other = OutboundKeys(profile, bytes(16), KEYS[profile][1])
        assert code_of(receiver(profile).unprotect, protect(other, packet(5), 5)) == "srtp_auth"


class TestRefusals:
    def test_srtcp_that_is_authentic_but_not_encrypted(self):
        # RFC 7714 §17.3's packet, its E bit clear: refused before its tag is looked at.
        wire = TestPublishedVectors.RTCP + bytes.fromhex("841dd9683dd78ec92ae58790125f62b3000005d4")
        assert code_of(receiver(GCM).unprotect_rtcp, wire) == "srtp_malformed"

    @both_profiles
    @pytest.mark.parametrize("data", [b"", b"\x80", bytes(64), b"\x9f" + bytes(70), b"\x80" + bytes(20)])
    def test_what_is_too_short_or_no_rtp(self, profile, data):
        assert code_of(receiver(profile).unprotect, data) == "srtp_malformed"

    def test_keys_of_a_wrong_size_are_our_own_mistake(self):
        with pytest.raises(ValueError, match="octets"):
            OutboundKeys(GCM, bytes(16), bytes(14))

    def test_rtcp_indices_are_never_used_twice(self):
        keys = sender(GCM)
        keys._rtcp_index = 2**31 - 1
        keys.protect_rtcp(b"\x80\xc9\x00\x01\x00\x00\x00\x07")
        with pytest.raises(OverflowError):
            keys.protect_rtcp(b"\x80\xc9\x00\x01\x00\x00\x00\x07")


class TestIndexWindow:
    @given(st.integers(0, 2**40), st.integers(-32767, 32767))
    def test_guesses_any_index_within_half_a_cycle(self, highest, distance):
        window = srtp.IndexWindow()
        window.mark(highest)
        assert window.guess((highest + distance) & 0xFFFF) == highest + distance

    @given(st.lists(st.integers(0, 4000), max_size=60))
    def test_tells_new_from_seen_like_a_set(self, indices):
        window, seen = srtp.IndexWindow(), set()
        for index in indices:
            expected = index not in seen and index > max(seen, default=-1) - srtp.REPLAY_WINDOW
            assert window.is_new(index) == expected
            if expected:
                window.mark(index)
                seen.add(index)


class TestHostileInput:
    @both_profiles
    def test_the_corpus_is_refused(self, profile, corpus):
        session = receiver(profile)
        for folder in ("srtp", "rtp", "rtcp"):
            for data in corpus(folder):
                for call in (session.unprotect, session.unprotect_rtcp):
                    with pytest.raises(PeerError):
                        call(data)

    @given(st.binary(max_size=100), st.sampled_from([GCM, CM]))
    def test_any_octets_are_refused(self, data, profile):
        for call in (receiver(profile).unprotect, receiver(profile).unprotect_rtcp):
            with contextlib.suppress(PeerError):
                call(b"\x80" + data)
                raise AssertionError("forged from nothing")
