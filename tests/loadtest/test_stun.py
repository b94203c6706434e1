"""Checks as the server's own parser reads them, and its answers as the viewers read those."""

from __future__ import annotations

from liveserver.rtp import stun as server
from loadtest.swarm import stun

TRANSACTION = bytes(range(12))


def test_a_check_is_one_of_a_controlling_agent_that_nominates():
    message = server.parse(stun.check(TRANSACTION, "them:us", "secret", 99))
    assert message.is_binding_request
    assert message.use_candidate
    assert (message.username, message.ice_controlling, message.fingerprint) == ("them:us", 99, True)
    assert message.verify_integrity(b"secret")


def test_an_answer_is_believed_when_it_is_signed_with_the_password():
    answer = server.binding_success(TRANSACTION, ("192.0.2.1", 5000), b"secret")
    assert stun.read(answer, "secret") == stun.Message(False, TRANSACTION, 0)
    assert stun.read(answer, "another") is None


def test_a_check_of_the_other_side_is_answered():
    asked = server.binding_request(TRANSACTION, "us:them", b"ours", ice_controlling=None)
    assert stun.is_request(asked)
    message = stun.read(asked, "ours")
    assert message is not None
    assert message.is_request
    answer = server.parse(stun.success(message.transaction, ("192.0.2.7", 77), "ours"))
    assert answer.mapped == ("192.0.2.7", 77)
    assert answer.verify_integrity(b"ours")


def test_an_ipv6_source_is_told_too():
    answer = server.parse(stun.success(TRANSACTION, ("2001:db8::1", 77), "ours"))
    assert answer.mapped == ("2001:db8::1", 77)


def test_what_is_cut_off_or_no_stun_is_nothing():
    whole = server.binding_success(TRANSACTION, ("192.0.2.1", 5000), b"secret")
    assert all(stun.read(whole[:size], "secret") is None for size in range(len(whole)))
    assert stun.read(b"\x16" * 60, "secret") is None
