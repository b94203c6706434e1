"""Which tokens are void before their time."""

from __future__ import annotations

from dataclasses import dataclass, replace

from liveserver.core.revocation import Of, Revocation, Revoked
from liveserver.tokens import SKEW_S

NOW = 1_800_000_000


@dataclass(frozen=True)
class Token:
    person: str = "li"
    role: str = "learner"
    training_class: str = ""
    stay: str = ""
    token_id: str = "t1"
    issued_at_s: int = NOW


def revocation(
    key: str = "li", until_s: int = NOW, of: Of = Of.PERSON, training_class: str = "", spared: str = "",
    at_s: int = NOW, role: str = "",
) -> Revocation:  # fmt: skip
    return Revocation(of, key, training_class, until_s, spared, at_s * 1000, (at_s + 86_400) * 1000, role)


def revoked(*known: Revocation, most: int = 100) -> Revoked:
    made = Revoked(most)
    for one in known:
        made.add(one)
    return made


class TestAPersonsRevocation:
    def test_voids_what_was_issued_until_then_and_nobody_elses(self) -> None:
        known = revoked(revocation())
        assert known.voids(Token())
        assert not known.voids(Token(issued_at_s=NOW + 1))
        assert not known.voids(Token(person="wang"))

    def test_spares_one_stay(self) -> None:
        known = revoked(revocation(spared="here"))
        assert not known.voids(Token(stay="here"))
        assert known.voids(Token(stay="elsewhere")) and known.voids(Token())

    def test_for_one_class_leaves_the_others(self) -> None:
        known = revoked(revocation(training_class="c1"))
        assert known.voids(Token(training_class="c1"))
        assert not known.voids(Token(training_class="c2")) and not known.voids(Token())
        assert known.shuts_out("li", "c1") and not known.shuts_out("li", "c2")

    def test_for_one_role_leaves_the_other(self) -> None:
        """Who stops learning in a class may teach it."""
        known = revoked(revocation(training_class="c1", role="learner"))
        assert known.voids(Token(training_class="c1"))
        assert not known.voids(Token(training_class="c1", role="instructor"))
        assert not known.voids(Token(training_class="c2")) and not known.voids(Token())
        assert known.shuts_out("li", "c1", "learner")
        assert not known.shuts_out("li", "c1", "instructor") and not known.shuts_out("li", "c1")

    def test_for_every_role_of_a_class_or_every_class_of_a_role_voids_those(self) -> None:
        for known in (revoked(revocation(training_class="c1")), revoked(revocation(role="learner"))):
            assert known.voids(Token(training_class="c1"))
        assert revoked(revocation(training_class="c1")).voids(Token(training_class="c1", role="instructor"))
        assert revoked(revocation(role="learner")).voids(Token(training_class="c2"))
        assert not revoked(revocation(role="learner")).voids(Token(role="instructor"))

    def test_for_one_role_is_lifted_for_that_role_alone(self) -> None:
        known = revoked(*(revocation(training_class="c1", role=role) for role in ("learner", "instructor")))
        assert known.add(revocation(training_class="c1", role="learner", until_s=0, at_s=NOW + 5))
        assert not known.voids(Token(training_class="c1"))
        assert known.voids(Token(training_class="c1", role="instructor"))

    def test_is_lifted_by_a_later_one_of_nothing(self) -> None:
        known = revoked(revocation(training_class="c1"))
        assert known.add(revocation(training_class="c1", until_s=0, at_s=NOW + 5))
        assert not known.voids(Token(training_class="c1"))
        assert not known.add(revocation(training_class="c1")), "an earlier one that comes late is no news"
        assert not known.voids(Token(training_class="c1"))

    def test_made_after_the_clock_went_back_counts_as_the_later_one(self) -> None:
        known = revoked(revocation(at_s=NOW))
        back = NOW - 10
        again = known.after(revocation(until_s=known.until("li", back), at_s=back))
        between = Token(issued_at_s=known.dated("li", back))
        assert not known.voids(between)
        assert known.add(again) and known.voids(between)
        assert known.after(revocation(at_s=NOW + 5)).at_ms == (NOW + 5) * 1000

    def test_heard_twice_is_news_once(self) -> None:
        known = Revoked()
        assert known.add(revocation())
        assert not known.add(revocation())
        assert len(known) == 1


class TestATokenIssuedInTheSameSecond:
    def test_before_is_void_and_after_is_good_however_often(self) -> None:
        known = Revoked()
        for round_ in range(5):
            before = Token(issued_at_s=known.dated("li", NOW))
            until_s = known.until("li", NOW)
            known.add(replace(revocation(until_s=until_s), at_ms=NOW * 1000 + round_))
            assert known.voids(before)
            assert not known.voids(Token(issued_at_s=known.dated("li", NOW)))

    def test_by_a_node_whose_clock_is_ahead_is_void_and_the_next_is_good_where_it_is_behind(self) -> None:
        apart_s = 25
        known = revoked(revocation(until_s=Revoked().until("li", NOW)))
        assert known.voids(Token(issued_at_s=NOW + apart_s))
        after_s = known.dated("li", NOW)
        assert not known.voids(Token(issued_at_s=after_s))
        assert after_s <= NOW - apart_s + SKEW_S, "no token from the future"

    def test_of_one_class_counts_for_the_whole_person_too(self) -> None:
        known = Revoked()
        known.add(revocation(training_class="c1", until_s=known.until("li", NOW)))
        late = Token(issued_at_s=known.dated("li", NOW), training_class="c2")
        known.add(revocation(until_s=known.until("li", NOW)))
        assert known.voids(late)

    def test_is_dated_no_further_ahead_than_other_nodes_take_it(self) -> None:
        assert revoked(revocation(until_s=NOW + 3600)).dated("li", NOW) == NOW


class TestOneStayOrToken:
    def test_is_void_whenever_it_was_issued(self) -> None:
        known = revoked(revocation("s1", 0, Of.STAY), revocation("t9", 0, Of.TOKEN))
        assert known.voids(Token(stay="s1", issued_at_s=NOW + 999))
        assert known.voids(Token(token_id="t9", issued_at_s=NOW + 999))
        assert not known.voids(Token(stay="s2"))


class TestWhatIsKnown:
    def test_is_forgotten_when_nothing_can_be_void_by_it(self) -> None:
        known = revoked(revocation(), revocation("wang", at_s=NOW + 10))
        known.forget((NOW + 86_400 + 5) * 1000)
        assert (len(known), known.voids(Token()), known.voids(Token(person="wang"))) == (1, False, True)

    def test_is_bounded_and_nobody_comes_back_that_way(self) -> None:
        known = Revoked(most=16)
        for number in range(17):
            known.add(revocation(f"p{number}", until_s=NOW + number, at_s=NOW + number))
        assert len(known) == 15
        assert all(known.voids(Token(person=f"p{n}", issued_at_s=NOW + n)) for n in range(17))
        assert known.voids(Token(person="anybody", issued_at_s=NOW + 1)), "issued before the oldest known"
        assert not known.voids(Token(person="anybody", issued_at_s=known.dated("anybody", NOW + 1)))

    def test_is_bounded_and_no_stay_and_no_token_comes_back_that_way(self) -> None:
        for of, claim in ((Of.STAY, "stay"), (Of.TOKEN, "token_id")):
            known = Revoked(most=16)
            for number in range(17):
                known.add(revocation(f"k{number}", 0, of, at_s=NOW + number))
            assert len(known) == 15
            ended = [replace(Token(issued_at_s=NOW + n), **{claim: f"k{n}"}) for n in range(17)]
            assert all(map(known.voids, ended)), of
            assert not known.voids(Token(issued_at_s=NOW + 60, stay="s", token_id="t"))
