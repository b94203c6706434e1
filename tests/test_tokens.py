"""Access tokens and links: what is issued is accepted, everything else is refused (RELIABILITY A2)."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from liveserver.core.errors import PeerError
from liveserver.core.permissions import Role
from liveserver.core.revocation import Of, Revocation
from liveserver.tokens import SKEW_S, Claims, Tokens
from tests.forged import HOUR, Forger

KEY = bytes(range(32))
NOW = 1_800_000_000
FORGER = Forger(KEY, NOW)
FORGED = FORGER.forged()


class TestAnAccessToken:
    tokens = Tokens(KEY)

    def test_gives_back_what_it_was_issued_for(self) -> None:
        token = self.tokens.issue(
            person="p1", name="王小明", role=Role.LEARNER, lesson="l1", now_s=NOW, ttl_s=HOUR
        )
        claims = self.tokens.verify(token, NOW)
        assert claims == Claims("p1", "王小明", Role.LEARNER, "l1", NOW + HOUR, claims.token_id, NOW)

    def test_is_never_issued_twice_with_one_id(self) -> None:
        issued = [
            self.tokens.issue(person="p", name="n", role=Role.ADMIN, lesson="*", now_s=NOW, ttl_s=HOUR)
            for _ in range(100)
        ]
        assert len({self.tokens.verify(token, NOW).token_id for token in issued}) == 100

    def test_covers_its_lesson_or_all(self) -> None:
        one = self.tokens.verify(FORGER.hs256(lesson="l1"), NOW)
        assert one.covers("l1")
        assert not one.covers("l2")
        assert not one.covers("*")
        assert self.tokens.verify(FORGER.hs256(lesson="*"), NOW).covers("l2")

    def test_is_good_until_sixty_seconds_past_its_expiry_and_not_longer(self) -> None:
        token = FORGER.hs256(exp=NOW)
        assert self.tokens.verify(token, NOW + SKEW_S)
        for late in (NOW + SKEW_S + 1, NOW + HOUR, NOW + 10**9):
            with pytest.raises(PeerError) as refused:
                self.tokens.verify(token, late)
            assert (refused.value.code, refused.value.status) == ("token_expired", 401)

    @pytest.mark.parametrize("nothing", [None, ""])
    def test_missing_is_said_so(self, nothing: str | None) -> None:
        with pytest.raises(PeerError) as refused:
            self.tokens.verify(nothing, NOW)
        assert (refused.value.code, refused.value.status) == ("token_missing", 401)

    def test_is_not_issued_longer_than_it_would_be_accepted(self) -> None:
        with pytest.raises(ValueError, match="2048"):
            self.tokens.issue(person="p", name="x" * 2048, role=Role.ADMIN, lesson="*", now_s=NOW, ttl_s=HOUR)


class TestATokenThatWasTakenBack:
    def test_is_refused_by_its_own_name_and_so_is_what_was_remembered_of_it(self) -> None:
        tokens = Tokens(KEY)
        issue = partial(tokens.issue, person="p1", name="n", role=Role.LEARNER, lesson="l1", ttl_s=HOUR)
        token = issue(now_s=NOW, stay="s1", training_class="c1")
        claims = tokens.verify(token, NOW)
        assert (claims.stay, claims.training_class, claims.issued_at_s) == ("s1", "c1", NOW)
        tokens.require_standing(claims, NOW)
        until_s = tokens.revoked.until("p1", NOW)
        tokens.revoked.add(Revocation(Of.PERSON, "p1", "", until_s, "", NOW * 1000, 2 * NOW * 1000))
        for refused in (lambda: tokens.verify(token, NOW), lambda: tokens.require_standing(claims, NOW)):
            with pytest.raises(PeerError) as refusal:
                refused()
            assert (refusal.value.code, refusal.value.status) == ("session_ended", 401)
        assert tokens.verify(issue(now_s=NOW), NOW).person == "p1", "signed in again in the same second"

    def test_takes_links_with_it_that_were_made_for_the_person(self) -> None:
        tokens = Tokens(KEY)
        mine, others = (
            tokens.sign_link("recording", "r1", NOW, HOUR, person=person) for person in ("p1", "p2")
        )
        tokens.revoked.add(Revocation(Of.PERSON, "p1", "", NOW, "", NOW * 1000, 2 * NOW * 1000))
        with pytest.raises(PeerError, match="session_ended"):
            tokens.verify_link("recording", mine, NOW)
        assert tokens.verify_link("recording", others, NOW).person == "p2"

    def test_that_is_over_is_refused_when_it_is_only_remembered_too(self) -> None:
        tokens = Tokens(KEY)
        claims = tokens.verify(FORGER.hs256(exp=NOW), NOW)
        with pytest.raises(PeerError, match="token_expired"):
            tokens.require_standing(claims, NOW + SKEW_S + 1)


class TestForgedTokens:
    tokens = Tokens(KEY)

    def test_the_pattern_of_the_forgeries_would_be_accepted(self) -> None:
        assert self.tokens.verify(FORGER.hs256(), NOW).role is Role.ADMIN

    def test_are_more_than_forty_kinds(self) -> None:
        assert len(FORGED) >= 40

    @pytest.mark.parametrize("kind", FORGED)
    def test_are_refused_without_repeating_them(self, kind: str) -> None:
        token = FORGED[kind]
        with pytest.raises(PeerError) as refused:
            self.tokens.verify(token, NOW)
        assert (refused.value.code, refused.value.status) == ("token_invalid", 401)
        assert token not in str(refused.value)

    @settings(deadline=None)
    @given(st.text(max_size=200) | st.from_regex(r"[\w-]{0,80}\.[\w-]{0,80}\.[\w-]{0,80}", fullmatch=True))
    def test_of_any_text_are_refused_by_name(self, text: str) -> None:
        with pytest.raises(PeerError) as refused:
            self.tokens.verify(text, NOW)
        assert refused.value.code in ("token_missing", "token_invalid")


class TestALink:
    tokens = Tokens(KEY)

    def test_names_its_subject(self) -> None:
        link = self.tokens.verify_link(
            "recording", self.tokens.sign_link("recording", "r1", NOW, 600), NOW + 600
        )
        assert (link.subject, link.expires_at_s) == ("r1", NOW + 600)
        assert link.token_id

    def test_of_one_kind_is_not_good_for_another(self) -> None:
        with pytest.raises(PeerError, match="token_invalid"):
            self.tokens.verify_link("setup", self.tokens.sign_link("recording", "r1", NOW, 600), NOW)

    def test_is_no_access_token_and_an_access_token_no_link(self) -> None:
        with pytest.raises(PeerError, match="token_invalid"):
            self.tokens.verify(self.tokens.sign_link("recording", "r1", NOW, 600), NOW)
        with pytest.raises(PeerError, match="token_invalid"):
            self.tokens.verify_link("recording", FORGER.hs256(), NOW)

    def test_expires(self) -> None:
        link = self.tokens.sign_link("recording", "r1", NOW, 600)
        with pytest.raises(PeerError, match="token_expired"):
            self.tokens.verify_link("recording", link, NOW + 600 + SKEW_S + 1)


class TestTheKeyFile:
    def test_is_made_once_readable_by_its_owner_alone(self, tmp_path: Path) -> None:
        path = tmp_path / "keys" / "tokens.key"
        token = Tokens.load_or_create(path).issue(
            person="p", name="n", role=Role.ADMIN, lesson="*", now_s=NOW, ttl_s=HOUR
        )
        assert path.stat().st_mode & 0o777 == 0o600
        assert len(path.read_bytes()) == 32
        assert [file.name for file in path.parent.iterdir()] == ["tokens.key"]
        assert Tokens.load_or_create(path).verify(token, NOW).person == "p"

    def test_differs_between_installations(self, tmp_path: Path) -> None:
        Tokens.load_or_create(tmp_path / "a")
        Tokens.load_or_create(tmp_path / "b")
        assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()

    def test_that_others_may_read_stops_the_start(self, tmp_path: Path) -> None:
        path = tmp_path / "tokens.key"
        Tokens.load_or_create(path)
        path.chmod(0o644)
        with pytest.raises(ValueError, match="0600"):
            Tokens.load_or_create(path)

    def test_that_is_cut_short_stops_the_start_and_stays(self, tmp_path: Path) -> None:
        path = tmp_path / "tokens.key"
        path.touch(0o600)
        path.write_bytes(b"short")
        with pytest.raises(ValueError, match="5 bytes"):
            Tokens.load_or_create(path)
        assert path.read_bytes() == b"short"

    def test_shorter_than_a_hash_is_no_key(self) -> None:
        with pytest.raises(ValueError, match="32"):
            Tokens(b"secret")
