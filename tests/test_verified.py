"""What is remembered of verified tokens: bounded, and never longer than a token stands."""

from __future__ import annotations

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.permissions import Role
from liveserver.core.revocation import Of, Revocation
from liveserver.tokens import SKEW_S, Tokens
from liveserver.verified import Verified

NOW, HOUR = 1_800_000_000, 3600


class TestWhatIsRemembered:
    def test_is_what_was_kept(self) -> None:
        verified: Verified[int] = Verified(most=4)
        assert verified.get("a") is None
        verified.keep("a", 1)
        assert verified.get("a") == 1

    def test_is_bounded(self) -> None:
        verified: Verified[int] = Verified(most=4)
        for number in range(100):
            verified.keep(str(number), number)
            assert len(verified) <= 8
        assert verified.get("99") == 99
        assert verified.get("0") is None

    def test_stays_while_it_is_asked_for(self) -> None:
        verified: Verified[int] = Verified(most=4)
        verified.keep("mine", 0)
        for number in range(100):
            verified.keep(str(number), number)
            assert verified.get("mine") == 0

    def test_is_not_the_token(self) -> None:
        verified: Verified[int] = Verified()
        verified.keep("a-secret-token", 1)
        assert b"a-secret-token" not in b"".join(verified._young)


class TestATokenVerifiedBefore:
    tokens = Tokens(bytes(range(32)))

    def issue(self) -> str:
        return self.tokens.issue(person="p", name="n", role=Role.LEARNER, lesson="l", now_s=NOW, ttl_s=HOUR)

    def test_says_the_same_again(self) -> None:
        token = self.issue()
        assert self.tokens.verify(token, NOW) is self.tokens.verify(token, NOW + 1)

    def test_expires_all_the_same(self) -> None:
        token = self.issue()
        self.tokens.verify(token, NOW)
        self.tokens.verify(token, NOW + HOUR + SKEW_S)
        with pytest.raises(PeerError) as refused:
            self.tokens.verify(token, NOW + HOUR + SKEW_S + 1)
        assert (refused.value.code, refused.value.status) == ("token_expired", 401)

    def test_helps_no_token_that_is_like_it(self) -> None:
        token = self.issue()
        self.tokens.verify(token, NOW)
        for other in (token[:-1], token + "A", token.upper(), token.swapcase(), token + "é"):
            with pytest.raises(PeerError) as refused:
                self.tokens.verify(other, NOW)
            assert refused.value.code == "token_invalid"

    def test_that_was_refused_is_not_remembered(self) -> None:
        late = NOW + HOUR + SKEW_S + 1
        token = self.issue()
        with pytest.raises(PeerError):
            self.tokens.verify(token, late)
        assert self.tokens.verify(token, NOW).person == "p"

    def test_is_void_the_moment_it_is_taken_back(self) -> None:
        token = self.issue()
        claims = self.tokens.verify(token, NOW)
        self.tokens.revoked.add(
            Revocation(Of.TOKEN, claims.token_id, "", 0, "", NOW * 1000, (NOW + HOUR) * 1000)
        )
        with pytest.raises(PeerError) as refused:
            self.tokens.verify(token, NOW)
        assert (refused.value.code, refused.value.status) == ("session_ended", 401)
