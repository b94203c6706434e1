"""Witnesses that answer: a real server that remembers and countersigns, a real time stamp authority."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from liveserver import config
from liveserver.clock import Clock
from liveserver.config.checks import ConfigError
from liveserver.core import heads, merkle
from liveserver.core.heads import Head, LogKey, Witnessed
from liveserver.ledger import signing
from liveserver.ledger.check import memory_opener
from liveserver.ledger.notary import Notary
from liveserver.ledger.signing import Key
from liveserver.ledger.witness import Witness, WitnessAwayError
from liveserver.ledger.witness_http import HttpWitness
from liveserver.ledger.witness_stamp import StampWitness
from liveserver.ledger.witnesses import witnesses_of
from liveserver.store import Store, open_store
from tests.authority import Authority
from tests.contract.test_ledger import fill


class Remembering:
    """A witness as somebody else would write it: the last head, and whether the next grew out of it."""

    def __init__(self) -> None:
        self.key = Key(bytes(range(32)))
        self.last: Head | None = None
        self.lies = False

    async def post(self, request: web.Request) -> web.Response:
        shown = await request.json()
        head = Head.read(shown["head"])
        heads.check(head, heads.follow(head.log, [LogKey.read(key) for key in shown["keys"]]))
        last = self.last
        if shown["first"] != (last.size if last else 0):
            return web.json_response({"size": last.size if last else 0}, status=409)
        first_root = bytes.fromhex(last.root) if last else merkle.EMPTY_ROOT
        path = [bytes.fromhex(node) for node in shown["path"]]
        root = bytes.fromhex(head.root)
        if not merkle.verify_consistency(shown["first"], head.size, first_root, root, path):
            return web.json_response({}, status=422)
        self.last = head
        seen = Witnessed(head.log, head.size, head.root, head.hash(), 7, self.key.id)
        answer = self.key.sign(seen).document()
        return web.json_response(answer | ({"size": head.size - 1} if self.lies else {}))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path / 'live.db'}")
    yield opened
    await opened.close()


@pytest.fixture
def remembering() -> Remembering:
    return Remembering()


@pytest.fixture
async def address(remembering: Remembering) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/heads", remembering.post)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/heads"
    await runner.cleanup()


async def notary_of(store: Store, folder: Path, witness: Witness) -> Notary:
    return Notary(store, Clock(), await signing.load_signer(folder / "keys", store, 1), 60, [witness])


class TestAServerThatRemembers:
    async def test_signs_that_the_ledger_only_grew(
        self, store: Store, tmp_path: Path, remembering: Remembering, address: str
    ) -> None:
        notary = await notary_of(store, tmp_path, HttpWitness(address, remembering.key.public))
        for size in (3, 300):
            await fill(store, size)
            await notary.seal()
            assert await notary.watches[0].show()
        known = await store.heads.witnessed("http", 3)
        assert known is not None
        heads.check(Witnessed.read(known[1]), {remembering.key.id: remembering.key.public})
        assert notary.watches[0].state()["size"] == 300
        await notary.stop()

    async def test_is_shown_the_proof_from_where_it_stands(
        self, store: Store, tmp_path: Path, remembering: Remembering, address: str
    ) -> None:
        """It lost its memory, or ours of what it had answered was lost."""
        notary = await notary_of(store, tmp_path, HttpWitness(address, remembering.key.public))
        await fill(store, 3)
        await notary.seal()
        assert await notary.watches[0].show()
        remembering.last = None
        await fill(store, 5)
        await notary.seal()
        assert await notary.watches[0].show()
        await notary.stop()

    async def test_refuses_what_did_not_grow_out_of_what_it_saw(
        self, store: Store, tmp_path: Path, remembering: Remembering, address: str
    ) -> None:
        """Somebody with the database and the log's key makes all of it anew (REL-E3)."""
        notary = await notary_of(store, tmp_path, HttpWitness(address, remembering.key.public))
        await fill(store, 300)
        await notary.seal()
        assert await notary.watches[0].show()
        await notary.stop()
        forged = await open_store(f"sqlite:///{tmp_path / 'forged.db'}", lambda: 5)
        rewritten = await notary_of(forged, tmp_path, HttpWitness(address, remembering.key.public))
        await fill(forged, 301)
        await rewritten.seal()
        assert not await rewritten.watches[0].show()
        assert rewritten.watches[0].state()["refused"] == "what it has seen is not in this ledger"
        await rewritten.stop()
        await forged.close()

    async def test_with_another_key_or_another_answer_has_said_nothing(
        self, store: Store, tmp_path: Path, remembering: Remembering, address: str
    ) -> None:
        await fill(store, 3)
        notary = await notary_of(store, tmp_path, HttpWitness(address, Key(bytes(32)).public))
        await notary.seal()
        assert not await notary.watches[0].show()
        remembering.lies = True
        liar = await notary_of(store, tmp_path, HttpWitness(address, remembering.key.public))
        assert not await liar.watches[0].show()
        assert "its answer" in liar.watches[0].state()["reason"]
        assert await store.heads.witnessed("http") is None
        await notary.stop()
        await liar.stop()


class TestATimeStampAuthority:
    async def test_stamps_a_head_in_a_way_others_can_check(self, store: Store, tmp_path: Path) -> None:
        authority = Authority(tmp_path / "tsa")
        url = await authority.start()
        witness = StampWitness(url, authority.folder / "ca.pem")
        notary = await notary_of(store, tmp_path, witness)
        await fill(store, 3)
        head = await notary.seal()
        assert head is not None
        assert await notary.watches[0].show(), notary.watches[0].state()
        known: Any = await store.heads.witnessed("stamp")
        assert "OK" in authority.verify(head.hash(), base64.b64decode(known[1]["token"]))
        stranger = StampWitness(url, Authority(tmp_path / "other").folder / "ca.pem")
        with pytest.raises(WitnessAwayError, match="does not hold"):
            await stranger.see(head, 0, store)
        await notary.stop()
        await authority.stop()


class TestTheConfiguration:
    def test_says_who_is_shown_the_heads(self, tmp_path: Path) -> None:
        tsa = Authority(tmp_path / "tsa").folder / "ca.pem"
        chosen = {
            "s3_bucket": "b", "s3_access_key": "k", "s3_secret_key": "s",
            "url": "https://w.example/heads", "key": "ab" * 32,
            "tsa_url": "http://tsa.example", "tsa_certificate": str(tsa),
        }  # fmt: skip
        flags = {f"witness.{name}": value for name, value in chosen.items()} | {"data_dir": str(tmp_path)}
        loaded = config.load(flags=flags)
        assert [one.name for one in witnesses_of(loaded, Clock())] == ["bucket", "http", "stamp"]
        assert memory_opener(loaded) is not None
        assert witnesses_of(config.Config(), Clock()) == []
        assert memory_opener(config.Config()) is None

    @pytest.mark.parametrize(
        "flags",
        [
            {"witness.url": "https://w.example"},
            {"witness.url": "nowhere", "witness.key": "ab" * 32},
            {"witness.url": "https://w.example", "witness.key": "ab"},
            {"witness.tsa_url": "https://w.example"},
            {"witness.kept": "1h"},
        ],
    )
    def test_that_cannot_work_is_refused_by_its_key(self, flags: dict[str, str]) -> None:
        with pytest.raises(ConfigError, match=r"witness\."):
            config.load(flags=flags)
