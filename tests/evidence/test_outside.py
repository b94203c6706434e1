"""What others say of a head, in a bundle: an authority's stamp, a bucket's record, and forgeries of both."""

from __future__ import annotations

import asyncio
import base64
import json
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from liveserver import cli
from liveserver.core import stamp
from liveserver.core.bundle import form
from liveserver.core.bundle.command import main, words
from liveserver.core.bundle.outside import Trusted, object_bytes, object_key
from liveserver.core.heads import Head, Sealed
from liveserver.core.ledger import Fact
from liveserver.ledger.signing import Key, verify
from liveserver.ledger.witness import Watch
from liveserver.ledger.witness_stamp import StampWitness
from tests.authority import Authority
from tests.evidence.conftest import START, checked, opened, teach
from tests.evidence.forging import Seal, parts, with_line

KEPT_MS = 400 * 86_400_000


@dataclass(frozen=True)
class Witnessed:
    """A bundle with a stamp, sealed anew by whoever holds the log's key."""

    bundle: bytes
    authority: Authority
    seal: Seal

    @property
    def given(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(parts(self.bundle)[form.HEAD])
        return found

    def with_places(self, change: Callable[[list[dict[str, Any]]], None]) -> bytes:
        return with_line(self.bundle, form.HEAD, 0, lambda given: change(given["places"]), self.seal)

    def with_kept(self, number: int, **changed: Any) -> bytes:
        return self.with_places(lambda places: places[number]["kept"].update(changed))


async def stamped_bundle(folder: Path, authority: Authority) -> bytes:
    """The stamp is of a head that the bundle's own grew out of."""
    world, url = await opened(folder), await authority.start()
    try:
        await teach(world)
        watch = Watch(StampWitness(url, authority.roots), world.store, world.clock)  # type: ignore[arg-type]
        world.notary.watches.append(watch)
        await world.notary.seal()
        assert await watch.show(), watch.state()
        await world.store.append([Fact("presence", "another", START, {"changes": []})] * 37)
        return await world.bundle()
    finally:
        await authority.stop()
        await world.store.close()


@pytest.fixture(scope="module")
def stamped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Witnessed]:
    folder = tmp_path_factory.mktemp("stamped")
    authority = Authority(folder / "tsa")

    bundle = asyncio.run(stamped_bundle(folder, authority))
    key = Key((folder / "keys" / "ledger.key").read_bytes())
    head = Head.read(json.loads(parts(bundle)[form.HEAD])["head"])
    yield Witnessed(
        bundle, authority, lambda digest: key.sign(Sealed(head.log, digest, head.size, head.at_ms, key.id))
    )


@pytest.fixture(scope="module")
def kept(stamped: Witnessed) -> Witnessed:
    """With the record of a bucket beside the stamp, as `ledger.witness_bucket` writes it."""
    given = stamped.given
    head, content = given["head"], object_bytes(given["head"], given["keys"])
    record = {
        "bucket": "outside",
        "key": "class/" + object_key(head["log"], head["size"]),
        "version": "v-1",
        "retain_until_ms": START + KEPT_MS,
        "locked": True,
        "sha256": sha256(content).hexdigest(),
    }
    row = {"name": "bucket", "head": head, "consistency": [], "kept": record}
    return replace(stamped, bundle=stamped.with_places(lambda places: places.append(row)))


def refused(data: bytes, **options: Any) -> tuple[str, str]:
    misfit = checked(data, verify=verify, **options).misfit
    assert misfit is not None and misfit.member == form.HEAD
    return misfit.place, misfit.words


class TestAStamp:
    def test_is_checked_and_told_in_words(self, stamped: Witnessed) -> None:
        report = checked(stamped.bundle, verify=verify)
        assert report.misfit is None
        (found,) = report.stamps
        assert report.head is not None and found.size < report.head.size
        text = " ".join(words("l1.zip", report))
        assert "The time stamp authority 'Test TSA' signed that" in text
        assert found.stamp.certificate in text
        assert "who issued the certificate was not checked" in text
        assert "before it was stamped, and not since" in text

    def test_of_another_head_is_refused(self, stamped: Witnessed) -> None:
        other = base64.b64encode(stamped.authority.stamp("ab" * 32)).decode()
        place, said = refused(stamped.with_kept(0, token=other))
        assert (place, "the stamp of something else" in said) == ("places 1, kept.token", True)
        assert refused(stamped.with_kept(0, head="ab" * 32))[0] == "places 1, kept.head"

    def test_moved_to_another_head_of_the_log_is_refused(self, stamped: Witnessed) -> None:
        def move(places: list[dict[str, Any]]) -> None:
            places[0] |= {"head": stamped.given["head"], "consistency": []}

        assert refused(stamped.with_places(move))[0] == "places 1, kept.head"

    def test_with_another_time_or_number_told_is_refused(self, stamped: Witnessed) -> None:
        at_ms = stamped.given["places"][0]["kept"]["at_ms"]
        place, said = refused(stamped.with_kept(0, at_ms=at_ms - 1000))
        assert place == "places 1, kept.at_ms"
        assert str(at_ms) in said
        assert refused(stamped.with_kept(0, serial="77"))[0] == "places 1, kept.serial"

    def test_with_another_time_in_it_is_refused(self, stamped: Witnessed) -> None:
        token = base64.b64decode(stamped.given["places"][0]["kept"]["token"])
        year = token.index(b"Z", token.index(b"\x18\x0f")) - 14
        forged = token[:year] + b"2020" + token[year + 4 :]
        place, said = refused(stamped.with_kept(0, token=base64.b64encode(forged).decode()))
        assert (place, "altered" in said) == ("places 1, kept.token", True)

    @pytest.mark.parametrize("token", ["", "!", "AAAA", "MAA=", "MIAwgDCAMIAwgA==", 7])
    def test_that_is_none_is_refused(self, stamped: Witnessed, token: object) -> None:
        assert refused(stamped.with_kept(0, token=token))[0] == "places 1, kept.token"

    def test_from_long_before_its_head_is_refused(self, stamped: Witnessed, monkeypatch) -> None:
        monkeypatch.setattr("liveserver.core.bundle.outside.EARLY_MS", -(10**12))
        assert refused(stamped.bundle)[0] == "places 1, kept.at_ms"

    def test_of_a_ledger_that_was_written_anew_is_refused(self, stamped: Witnessed) -> None:
        def cut(places: list[dict[str, Any]]) -> None:
            places[0]["consistency"].pop()

        assert "written anew" in refused(stamped.with_places(cut))[1]


class TestAnAuthority:
    """Whoever holds the log's key can run one himself: the reader says whom he trusts."""

    def forged(self, stamped: Witnessed, folder: Path) -> bytes:
        kept = stamped.given["places"][0]["kept"]
        forger = Authority(folder / "forger", "p256")
        token = forger.stamp(kept["head"])
        found = stamp.check(token, bytes.fromhex(kept["head"]))
        text = base64.b64encode(token).decode()
        return stamped.with_kept(0, token=text, at_ms=found.at_ms, serial=str(found.serial))

    def test_of_the_forger_s_own_is_found_by_the_fingerprint_or_the_roots(
        self, stamped: Witnessed, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        real, false = tmp_path / "real.zip", tmp_path / "false.zip"
        real.write_bytes(stamped.bundle)
        false.write_bytes(self.forged(stamped, tmp_path))
        pinned = ["--tsa-fingerprint", stamped.authority.fingerprint()]
        roots = ["--tsa-roots", str(stamped.authority.roots)]
        assert [main([str(path)]) for path in (real, false)] == [0, 0]
        capsys.readouterr()
        assert [main([str(path), *pinned]) for path in (real, false)] == [0, 1]
        said = capsys.readouterr().out
        assert "one of those that you named" in said and "no stamp was made with the certificate" in said
        assert [cli.main(["verify", str(path), *roots]) for path in (real, false)] == [0, 1]
        said = capsys.readouterr().out
        assert "given out by those in ca.pem" in said and "does not lead to the certificates" in said

    def test_that_is_trusted_must_have_stamped(self, stamped: Witnessed, tmp_path: Path) -> None:
        unstamped = stamped.with_places(lambda places: places.clear())
        assert refused(unstamped, trusted=Trusted((), ["ab" * 32]))[0] == "places"
        (tmp_path / "none.zip").write_bytes(unstamped)
        roots = str(stamped.authority.roots)
        assert cli.main(["verify", str(tmp_path / "none.zip"), "--tsa-roots", roots]) == 1
        assert (
            cli.main(["verify", str(tmp_path / "none.zip"), "--tsa-roots", str(tmp_path / "none.zip")]) == 2
        )


class TestABucketsRecord:
    def test_that_fits_says_what_to_ask_the_bucket(self, kept: Witnessed) -> None:
        report = checked(kept.bundle, verify=verify)
        assert report.misfit is None
        (found,) = report.kept
        assert found.locked_until_ms == START + KEPT_MS
        text = " ".join(words("l1.zip", report))
        assert "only the bucket can say" in text
        assert all(part in text for part in (found.sha256, found.key, "version 'v-1'", "locked until"))

    @pytest.mark.parametrize(
        ("changed", "name"),
        [
            ({"key": "class/ledger/0000/heads/000000000001.json"}, "key"),
            ({"sha256": "ab" * 32}, "sha256"),
            ({"sha256": ["ab"]}, "sha256"),
            ({"version": None}, "locked"),
            ({"version": 7}, "version"),
            ({"locked": 1}, "locked"),
            ({"retain_until_ms": 1}, "retain_until_ms"),
            ({"retain_until_ms": None}, "retain_until_ms"),
            ({"retain_until_ms": "never"}, "retain_until_ms"),
        ],
    )
    def test_that_was_changed_is_named(self, kept: Witnessed, changed: dict[str, Any], name: str) -> None:
        assert refused(kept.with_kept(1, **changed))[0] == f"places 2, kept.{name}"

    def test_of_a_head_that_nobody_signed_is_refused(self, kept: Witnessed) -> None:
        def earlier(places: list[dict[str, Any]]) -> None:
            places[1]["head"]["at_ms"] -= 1

        assert refused(kept.with_places(earlier))[0] == "places 2, head"

    def test_in_a_form_that_is_not_known_is_said_to_be_unchecked(self, kept: Witnessed) -> None:
        report = checked(kept.with_kept(1, further=1), verify=verify)
        assert report.fits and any("unchecked" in note for note in report.notes)

    @pytest.mark.parametrize("places", [None, 7, [7], [{}], [{"head": 1}], [{}] * 17])
    def test_that_is_nonsense_is_refused(self, kept: Witnessed, places: object) -> None:
        def nonsense(given: dict[str, Any]) -> None:
            given["places"] = places

        refused(with_line(kept.bundle, form.HEAD, 0, nonsense, kept.seal))


CHECK_JS = """
import { readFileSync } from 'node:fs';
const { checkBundle } = await import(process.argv[1]);
const found = [];
for (const name of process.argv.slice(2)) {
  try {
    found.push((await checkBundle(new Uint8Array(readFileSync(name)))).places);
  } catch (problem) {
    found.push([problem.code, problem.place]);
  }
}
console.log(JSON.stringify(found));
"""


class TestThePagesChecker:
    """web/static/lib/bundle: the same."""

    def test_tells_the_places_and_names_those_that_do_not_fit(self, kept: Witnessed, tmp_path: Path) -> None:
        def earlier(places: list[dict[str, Any]]) -> None:
            places[0]["head"]["at_ms"] -= 1

        told = kept.given["places"][0]["kept"]
        token, other = base64.b64decode(told["token"]), kept.authority.stamp("ab" * 32)
        year = token.index(b"Z", token.index(b"\x18\x0f")) - 14
        altered = token[:year] + b"2020" + token[year + 4 :]
        bundles = [
            kept.bundle, kept.with_kept(1, sha256="ab" * 32), kept.with_kept(1, version=None),
            kept.with_kept(1, retain_until_ms=1), kept.with_kept(0, head="ab" * 32),
            kept.with_places(earlier),
            kept.with_places(lambda places: places[0]["consistency"].pop()),
            kept.with_kept(0, at_ms=told["at_ms"] - 1), kept.with_kept(0, serial="77"),
            *(kept.with_kept(0, token=one) for one in ("!", 7, "", "AA==\n", "A" * 12_000_000)),
            kept.with_kept(0, token=told["token"] + "=="),
            *(kept.with_kept(0, token=base64.b64encode(one).decode()) for one in (other, altered)),
            kept.with_places(lambda places: places.extend(places * 8)),
        ]  # fmt: skip
        names = [str(tmp_path / f"{number}.zip") for number in range(len(bundles))]
        for name, data in zip(names, bundles, strict=True):
            Path(name).write_bytes(data)
        module = (Path(__file__).parents[2] / "web/static/lib/bundle/check.js").as_uri()
        done = subprocess.run(
            ["node", "--input-type=module", "-e", CHECK_JS, module, *names], capture_output=True, check=True
        )
        fits, *refusals = json.loads(done.stdout)
        assert [place["name"] for place in fits] == ["stamp", "bucket"]
        (found,) = checked(kept.bundle, verify=verify).stamps
        assert fits[0]["stamp"] == {
            "atMs": found.stamp.at_ms,
            "serial": str(found.stamp.serial),
            "certificate": found.stamp.certificate,
            "authority": "Test TSA",
            "checked": True,
        }
        assert [code for code, _ in refusals] == [
            "place", "place", "place", "stamp_head", "place", "rewritten", "stamp_told", "stamp_told",
            *["stamp_form"] * 6, "stamp_other", "stamp_altered", "place",
        ]  # fmt: skip
        assert [place for _, place in refusals] == [refused(one)[0] for one in bundles[1:]]
