"""Identity numbers and their proof: checked, sealed, masked, found again, erased."""

from __future__ import annotations

from pathlib import Path

import pytest

from liveserver.core.errors import PeerError
from liveserver.core.identity import MOVES, Act, State, move
from liveserver.core.permissions import Role
from liveserver.keys import load_or_create
from liveserver.log_in.identities import Finding, Identities
from liveserver.store import verify_ledger
from liveserver.store.model.people import Person
from liveserver.vault import Vault
from tests.log_in.door import Browser, Door, Reply

NUMBER = "11010519491231002X"
OTHER = "110101199003074557"


@pytest.fixture
async def office(door: Door, browser: Browser) -> Browser:
    """The system administrator's browser, and three persons of the register."""
    for number in ("p1", "p2", "p3"):
        await door.store.people.persons.add(Person(number, f"王{number}", salt=b"s" * 16), "test", 1)
    browser.token = door.staff(Role.SYSTEM, "anna")
    return browser


async def entered(office: Browser, person: str = "p1", number: str = NUMBER) -> Reply:
    return await office.send("PUT", f"/persons/{person}/identity", {"number": number})


async def noted(office: Browser) -> Reply:
    body = {"method": "manual", "note": "身份证原件 seen at the desk"}
    return await office.send("POST", "/persons/p1/identity/proof", body)


class TestTheStates:
    @pytest.mark.parametrize("state", State)
    @pytest.mark.parametrize("act", Act)
    def test_every_state_and_act_is_a_move_or_refused(self, state: State, act: Act) -> None:
        if (state, act) in MOVES:
            assert move(state, act, "anna", "ben") is MOVES[state, act]
            return
        with pytest.raises(PeerError, match="wrong_step"):
            move(state, act, "anna", "ben")

    def test_the_second_look_is_anothers(self) -> None:
        with pytest.raises(PeerError, match="same_person"):
            move(State.SECOND_LOOK, Act.SECOND, "anna", "anna")


class TestANumber:
    async def test_is_checked_and_shown_masked(self, office: Browser) -> None:
        reply = await entered(office, number=" 11010519491231002x ")
        assert (reply.status, reply.json["number"], reply.json["state"]) == (
            200, "110***********002X", "unproven",
        )  # fmt: skip

    @pytest.mark.parametrize(
        ("number", "why"),
        [
            ("110105194912310021", "checksum"),
            ("110105194913310021", "component"),
            ("1101051949123100", "length"),
            ("1101051949123A002X", "format"),
            ("999105194912310021", "component"),
        ],
    )
    async def test_that_is_wrong_is_refused_without_being_said_again(
        self, office: Browser, number: str, why: str
    ) -> None:
        reply = await entered(office, number=number)
        assert (reply.status, reply.code, reply.json["detail"]) == (422, "bad_identity_number", why)

    async def test_of_nobody_is_refused(self, office: Browser) -> None:
        assert (await entered(office, "p9")).code == "not_found"
        assert (await office.send("GET", "/persons/p1/identity")).code == "not_found"

    async def test_at_two_persons_is_found(self, office: Browser) -> None:
        await entered(office)
        assert (await entered(office, "p2", NUMBER.lower())).json["same_number"] == ["p1"]
        assert (await entered(office, "p3", OTHER)).json["same_number"] == []
        assert (await office.send("GET", "/persons/p1/identity")).json["same_number"] == ["p2"]

    async def test_is_nowhere_in_clear(self, door: Door, office: Browser) -> None:
        await entered(office)
        await noted(office)
        folder = door.services.config.data_dir
        kept = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert len(kept) > 10_000
        assert NUMBER.encode() not in kept
        assert "身份证原件".encode() not in kept
        facts = str([entry.data for entry in await door.store.entries(limit=1000)])
        assert NUMBER not in facts and "desk" not in facts

    async def test_another_one_begins_anew(self, office: Browser) -> None:
        await entered(office)
        await noted(office)
        assert (await entered(office, number=NUMBER)).json["state"] == "second_look"  # the same is no change
        assert (await entered(office, number=OTHER)).json["state"] == "unproven"

    async def test_is_for_who_keeps_the_register(self, door: Door, browser: Browser) -> None:
        for role in set(Role) - {Role.SYSTEM, Role.ADMIN}:
            browser.token = door.staff(role)
            assert (await browser.send("GET", "/persons/p1/identity")).code == "forbidden"


class TestAProof:
    async def test_takes_two_persons(self, door: Door, office: Browser) -> None:
        await entered(office)
        assert (await noted(office)).json["state"] == "second_look"
        assert (await office.send("POST", "/persons/p1/identity/proof/second", {"confirmed": True})).code == (
            "same_person"
        )
        office.token = door.staff(Role.SYSTEM, "ben")
        note = await office.send("GET", "/persons/p1/identity/proof")
        assert note.json == {"note": "身份证原件 seen at the desk"}
        done = await office.send("POST", "/persons/p1/identity/proof/second", {"confirmed": True})
        assert (done.json["state"], done.json["noted_by"], done.json["seconded_by"]) == (
            "proven", "anna", "ben",
        )  # fmt: skip
        facts = await door.facts("identity_entered", "identity_proof")
        assert [fact.data.get("act") for fact in facts] == [None, "note", "second"]
        assert all(len(str(fact.data["number"])) == 64 for fact in facts[:1])

    async def test_that_is_doubted_is_none(self, door: Door, office: Browser) -> None:
        await entered(office)
        await noted(office)
        office.token = door.staff(Role.SYSTEM, "ben")
        done = await office.send("POST", "/persons/p1/identity/proof/second", {"confirmed": False})
        assert (done.json["state"], done.json["noted_by"]) == ("unproven", None)

    async def test_can_be_revoked_and_begun_anew(self, door: Door, office: Browser) -> None:
        await entered(office)
        await noted(office)
        office.token = door.staff(Role.SYSTEM, "ben")
        await office.send("POST", "/persons/p1/identity/proof/second", {"confirmed": True})
        revoked = await office.send("POST", "/persons/p1/identity/proof/revocation", {"reason": "forged"})
        assert revoked.json["state"] == "revoked"
        assert (await noted(office)).json["state"] == "second_look"

    async def test_out_of_turn_is_refused(self, office: Browser) -> None:
        await entered(office)
        reply = await office.send("POST", "/persons/p1/identity/proof/revocation", {"reason": "x"})
        assert (reply.status, reply.code) == (409, "wrong_step")

    async def test_by_a_service_that_may_decide_alone_needs_no_second_look(
        self, door: Door, office: Browser, tmp_path: Path
    ) -> None:
        class Platform:
            method = "platform"

            def __init__(self) -> None:
                self.asked: list[tuple[str, str]] = []

            async def look(self, name: str, number: str, note: str) -> Finding:
                self.asked.append((name, number))
                return Finding.PROVEN if number == NUMBER else Finding.REFUSED

        platform = Platform()
        key = load_or_create(tmp_path / "other.key")
        vault = Vault(door.store, door.services.clock, key, "identity")
        identities = Identities(door.store, door.services.clock, vault, key, [platform])
        await identities.enter("p2", NUMBER, "anna")
        assert (await identities.prove("p2", "platform", "asked", "anna"))["state"] == "proven"
        assert platform.asked == [("王p2", NUMBER)]
        await identities.enter("p3", OTHER, "anna")
        with pytest.raises(PeerError, match="identity_refused"):
            await identities.prove("p3", "platform", "asked", "anna")


class TestErasing:
    async def test_leaves_nothing_of_the_number_and_every_proof_of_the_ledger(
        self, door: Door, office: Browser
    ) -> None:
        await entered(office)
        await noted(office)
        assert (await office.send("DELETE", "/persons/p1/identity")).status == 204
        assert (await office.send("GET", "/persons/p1/identity")).code == "not_found"
        assert (await office.send("DELETE", "/persons/p1/identity")).status == 404
        kept = await door.store.people_keys.key("p1", "identity", b"none", 1)
        assert kept == b"none"  # the key that was there is gone
        assert (await entered(office, "p2")).json["same_number"] == []
        verified = await verify_ledger(f"sqlite:///{door.services.config.data_dir}/store.db")
        assert verified.faults == ()

    async def test_of_the_number_leaves_the_photos_alone(self, door: Door, office: Browser) -> None:
        await door.store.people_keys.key("p1", "photos", b"wrapped", 1)
        await entered(office)
        await office.send("DELETE", "/persons/p1/identity")
        assert await door.store.people_keys.key("p1", "photos", b"other", 2) == b"wrapped"
