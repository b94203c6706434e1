"""Photos of random checks over a real store and the real, confined models (REL-C6, E10)."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from liveserver.checks.photos import Judged, Photos
from liveserver.clock import Clock
from liveserver.core.errors import PeerError
from liveserver.core.photo import Alive, Liveness, Turn, not_measured
from liveserver.store import Store, open_store
from liveserver.store.verify import verify_ledger
from liveserver.vault import SealedError, Vault
from models import jpeg
from models.limits import PHOTO

FACES = Path(__file__).parents[2] / "../shared/data/faces"
DAY_MS = 86_400_000


class MovedClock(Clock):
    """The machine's clock, and as much more as a test says."""

    ahead_ms = 0

    def wall_ms(self) -> int:
        return super().wall_ms() + self.ahead_ms


@pytest.fixture
def clock() -> MovedClock:
    return MovedClock()


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await open_store(f"sqlite:///{tmp_path}/store.db")
    yield opened
    await opened.close()


@pytest.fixture
async def photos(store: Store, clock: MovedClock, tmp_path: Path) -> AsyncIterator[Photos]:
    made = Photos(store, clock, Vault(store, clock, bytes(32), "photos"), tmp_path / "photos", 30 * DAY_MS)
    yield made
    await made.stop()


def photo(name: str) -> bytes:
    path = FACES / name
    if not path.exists():
        pytest.skip("the photos are not beside the repository (../shared/data/faces)")
    return path.read_bytes()


async def said(photos: Photos, name: str) -> tuple[bool | None, str]:
    judged = await photos.judge(name)
    return judged.passed, judged.detail


def written(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


class TestJudging:
    async def test_the_first_good_photo_enrols_and_the_next_is_matched(self, photos: Photos) -> None:
        first = await photos.keep("l", "p", "c1", photo("president_a_1.jpg"))
        assert await said(photos, first) == (True, "not_enrolled")
        second = await photos.keep("l", "p", "c2", photo("president_a_2.jpg"))
        assert await said(photos, second) == (True, "")

    async def test_somebody_else_is_for_a_person_to_look_at(self, photos: Photos) -> None:
        await photos.judge(await photos.keep("l", "p", "c1", photo("president_a_1.jpg")))
        other = await photos.keep("l", "p", "c2", photo("liveness_real_1.jpg"))
        assert await said(photos, other) == (None, "not_alike")

    async def test_the_same_picture_again_is_noticed_even_encoded_anew_and_from_another_learner(
        self, photos: Photos
    ) -> None:
        data = photo("liveness_real_1.jpg")
        await photos.judge(await photos.keep("l", "p", "c1", data))
        assert await said(photos, await photos.keep("l", "p", "c2", data)) == (None, "repeated")
        anew = jpeg.encode(jpeg.decode(data, PHOTO))
        assert await said(photos, await photos.keep("l", "q", "c3", anew)) == (None, "repeated")

    async def test_what_is_no_photo_may_be_taken_again(self, photos: Photos) -> None:
        assert await said(photos, await photos.keep("l", "p", "c1", b"\xff\xd8 no jpeg")) == (
            False,
            "no_photo",
        )


class TestLiveness:
    """Advice from a second photo, by the real models; nothing else depends on it."""

    async def judged(self, photos: Photos, straight: str, turned: str, asked: Turn) -> Judged:
        one = await photos.keep("l", "p", "c1", photo(straight))
        return await photos.judge(one, await photos.keep("l", "p", "c1", photo(turned)), asked)

    @pytest.mark.parametrize(
        ("asked", "alive", "why"), [(Turn.RIGHT, Alive.YES, ""), (Turn.LEFT, Alive.NO, "other_way")]
    )
    async def test_a_head_that_turns_is_known_by_which_way_it_was_asked(
        self, photos: Photos, asked: Turn, alive: Alive, why: str
    ) -> None:
        judged = await self.judged(photos, "president_a_1.jpg", "president_a_2.jpg", asked)
        assert (judged.passed, judged.detail) == (True, "not_enrolled")
        told = judged.liveness
        assert told is not None and (told.alive, told.why) == (alive, why)
        assert told.yaw is not None and told.yaw[0] - told.yaw[1] > 20
        assert told.distance is not None and told.distance < 60

    async def test_the_same_picture_twice_has_not_turned_and_passes_all_the_same(
        self, photos: Photos
    ) -> None:
        judged = await self.judged(photos, "president_a_1.jpg", "president_a_1.jpg", Turn.LEFT)
        assert (judged.passed, judged.detail) == (True, "not_enrolled")
        assert judged.liveness == Liveness(Alive.NO, "not_turned", Turn.LEFT, (4, 4), 0)

    async def test_another_face_in_the_second_one_is_said_and_decides_nothing(self, photos: Photos) -> None:
        judged = await self.judged(photos, "president_a_1.jpg", "liveness_real_1.jpg", Turn.LEFT)
        assert judged.passed and judged.liveness is not None
        assert (judged.liveness.alive, judged.liveness.why) == (Alive.NO, "another_face")

    async def test_what_cannot_be_measured_is_unknown(self, photos: Photos) -> None:
        alone = await photos.judge(await photos.keep("l", "p", "c1", photo("president_a_1.jpg")))
        assert alone.passed and alone.liveness == not_measured(Turn.LEFT)
        one = await photos.keep("l", "q", "c3", photo("president_a_2.jpg"))
        broken = await photos.judge(one, await photos.keep("l", "q", "c3", b"\xff\xd8 no jpeg"), Turn.LEFT)
        assert broken.passed and broken.liveness == not_measured(Turn.LEFT, "not_judged")


class TestKeeping:
    async def test_nothing_readable_is_on_disk(self, photos: Photos, tmp_path: Path) -> None:
        data = photo("liveness_real_1.jpg")
        await photos.keep("l", "p", "c1", data)
        assert data[100:164] not in written(tmp_path)

    async def test_a_person_who_has_to_decide_sees_it_and_that_is_a_fact(
        self, photos: Photos, store: Store
    ) -> None:
        name = await photos.keep("l", "p", "c1", b"jpeg")
        assert await photos.show("l", name, "ada", "review") == b"jpeg"
        assert [entry.type for entry in await store.entries()] == ["photo", "photo_seen"]


class TestErasing:
    async def test_of_a_person_leaves_nothing_but_proofs(
        self, photos: Photos, store: Store, clock: MovedClock, tmp_path: Path
    ) -> None:
        data = photo("liveness_real_1.jpg")
        name = await photos.keep("l", "p", "c1", data)
        await photos.judge(name)
        row = await store.people_keys.photo(name)
        assert row is not None and row.sha256 and row.look
        assert await photos.erase_person("p", "p") == 1
        with pytest.raises(PeerError):
            await photos.show("l", name, "ada", "review")
        erased = await store.people_keys.photo(name)
        assert erased is not None and (erased.sha256, erased.look, erased.salt) == ("", b"", b"")
        assert await store.people_keys.face("p") is None
        assert not list((tmp_path / "photos").rglob("*.sealed"))
        assert row.sha256.encode() not in written(tmp_path / "photos")
        await store.close()
        assert not (await verify_ledger(f"sqlite:///{tmp_path}/store.db")).faults

    async def test_with_the_key_gone_a_copy_of_the_file_opens_no_more(
        self, store: Store, clock: MovedClock
    ) -> None:
        vault = Vault(store, clock, bytes(32), "photos")
        sealed = await vault.seal("p", "name", b"face")
        assert await vault.unseal("p", "name", sealed) == b"face"
        assert await vault.destroy("p")
        with pytest.raises(SealedError):
            await vault.unseal("p", "name", sealed)

    async def test_comes_by_itself_when_the_time_has_come(self, photos: Photos, clock: MovedClock) -> None:
        name = await photos.keep("l", "p", "c1", b"jpeg")
        clock.ahead_ms = 29 * DAY_MS
        assert await photos.erase_old() == 0
        clock.ahead_ms = 31 * DAY_MS
        assert await photos.erase_old() == 1
        with pytest.raises(PeerError):
            await photos.show("l", name, "ada", "review")
