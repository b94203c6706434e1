"""The object store's contract, on a disk and in a real S3 server; what only a bucket can do."""

from __future__ import annotations

import hashlib
import os
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from recorder.lock import Proof
from recorder.objects import DiskStore, ObjectError, ObjectStore
from recorder.reverify import Verdict, verify
from recorder.s3 import S3Settings, S3Store, StoreAwayError
from recorder.upload import PART_TRIES, StoppedUploadError, UploadNote

from .conftest import MakeBucket
from .proxy import Fault, FaultProxy

DAY_MS = 86_400_000
PART = 5 * 1024**2


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def file_of(folder: Path, content: bytes, name: str = "sealed.part") -> Path:
    path = folder / name
    path.write_bytes(content)
    return path


@pytest.fixture(scope="module")
def bucket(make_bucket: MakeBucket) -> S3Settings:
    return make_bucket()


@pytest.fixture
def remote(bucket: S3Settings, request: pytest.FixtureRequest) -> S3Store:
    """A store in a folder of the bucket that no other test uses."""
    store = S3Store(replace(bucket, prefix=f"{abs(hash(request.node.nodeid)):x}/"))
    assert store.prove_lock() is Proof.PROVEN
    return store


@pytest.fixture(params=["disk", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    yield DiskStore(tmp_path / "objects") if request.param == "disk" else request.getfixturevalue("remote")


def read(store: ObjectStore, key: str, start: int = 0, version: str | None = None) -> bytes:
    with store.open_range(key, start, version) as body:
        return body.read()


class TestEveryStore:
    def test_gives_back_what_was_put_whole_or_from_any_byte(self, store: ObjectStore, tmp_path: Path) -> None:
        content = os.urandom(100_000)
        stat = store.put("L1/r1.mp4", file_of(tmp_path, content), None)
        assert (stat.key, stat.size) == ("L1/r1.mp4", 100_000)
        assert read(store, "L1/r1.mp4") == content
        assert read(store, "L1/r1.mp4", 99_000, stat.version) == content[99_000:]
        assert read(store, "L1/r1.mp4", 100_000) == b""
        with pytest.raises(ObjectError, match="bad_range"):
            store.open_range("L1/r1.mp4", 100_001)

    def test_takes_the_same_bytes_twice_and_no_others_under_one_key(
        self, store: ObjectStore, tmp_path: Path
    ) -> None:
        first = store.put("L1/r1.mp4", file_of(tmp_path, b"one"), None)
        assert store.put("L1/r1.mp4", file_of(tmp_path, b"one", "again"), None) == first
        with pytest.raises(ObjectError, match="exists"):
            store.put("L1/r1.mp4", file_of(tmp_path, b"two", "other"), None)
        assert read(store, "L1/r1.mp4") == b"one"

    def test_keeps_the_date_and_deletes_nothing_before_it(self, store: ObjectStore, tmp_path: Path) -> None:
        until = now_ms() + DAY_MS
        stat = store.put("L1/r1.mp4", file_of(tmp_path, b"kept"), until)
        assert (stat.retain_until_ms or 0) >= until
        assert store.stat("L1/r1.mp4").retain_until_ms == stat.retain_until_ms
        with pytest.raises(ObjectError, match="locked"):
            store.delete("L1/r1.mp4", now_ms(), stat.version)
        assert read(store, "L1/r1.mp4") == b"kept"

    def test_deletes_for_good_what_has_no_date(self, store: ObjectStore, tmp_path: Path) -> None:
        stat = store.put("L1/r1.mp4", file_of(tmp_path, b"gone"), None)
        store.delete("L1/r1.mp4", now_ms(), stat.version)
        for version in (None, stat.version):
            with pytest.raises(ObjectError, match="not_found"):
                store.stat("L1/r1.mp4", version)

    def test_says_so_when_there_is_none(self, store: ObjectStore) -> None:
        for attempt in (store.stat, store.open_range, lambda key: store.delete(key, 0)):
            with pytest.raises(ObjectError, match="not_found"):
                attempt("L1/none.mp4")

    @pytest.mark.parametrize("key", ["", "../x", "a//b", "/a", "a/../b", "a b", "a/b/c/d/e/f/g/h/i"])
    def test_refuses_a_key_that_could_leave_its_folder(
        self, store: ObjectStore, tmp_path: Path, key: str
    ) -> None:
        with pytest.raises(ObjectError, match="bad_key"):
            store.put(key, file_of(tmp_path, b"x"), None)

    def test_a_second_look_finds_an_object_intact_or_altered_or_missing(
        self, store: ObjectStore, tmp_path: Path
    ) -> None:
        stat = store.put("L1/r1.mp4", file_of(tmp_path, b"kept"), now_ms() + DAY_MS)
        wanted: dict[str, Any] = {
            "key": "L1/r1.mp4",
            "version": stat.version,
            "sha256": hashlib.sha256(b"kept").hexdigest(),
            "locked": stat.locked,
            "retain_until_ms": stat.retain_until_ms,
        }
        assert verify(store, wanted) == (Verdict.INTACT, "")
        assert verify(store, wanted | {"sha256": "0" * 64})[0] is Verdict.ALTERED
        assert verify(store, wanted | {"key": "L1/none.mp4"})[0] is Verdict.MISSING
        later = (stat.retain_until_ms or 0) + DAY_MS
        assert verify(store, wanted | {"locked": True, "retain_until_ms": later})[0] is Verdict.UNLOCKED


class TestALockedVersion:
    def test_outlives_the_servers_own_delete_and_shortening(
        self, remote: S3Store, s3: Any, tmp_path: Path
    ) -> None:
        until = now_ms() + DAY_MS
        stat = remote.put("L1/r1.mp4", file_of(tmp_path, b"kept"), until)
        assert stat.locked
        assert stat.version
        named = {
            "Bucket": remote.settings.bucket,
            "Key": remote.settings.prefix + "L1/r1.mp4",
            "VersionId": stat.version,
        }
        with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
            s3.delete_object(**named)
        sooner = {"Mode": "COMPLIANCE", "RetainUntilDate": time.time() + 60}
        with pytest.raises(s3.exceptions.ClientError, match="AccessDenied"):
            s3.put_object_retention(**named, Retention=sooner, BypassGovernanceRetention=True)
        assert read(remote, "L1/r1.mp4", version=stat.version) == b"kept"

    def test_is_found_behind_a_delete_marker(self, remote: S3Store, s3: Any, tmp_path: Path) -> None:
        stat = remote.put("L1/r1.mp4", file_of(tmp_path, b"kept"), now_ms() + DAY_MS)
        s3.delete_object(Bucket=remote.settings.bucket, Key=remote.settings.prefix + "L1/r1.mp4")
        with pytest.raises(ObjectError, match="not_found"):
            remote.stat("L1/r1.mp4")
        assert read(remote, "L1/r1.mp4", version=stat.version) == b"kept"

    def test_can_be_kept_longer_and_never_shorter(self, remote: S3Store, tmp_path: Path) -> None:
        until = now_ms() + DAY_MS
        version = remote.put("L1/r1.mp4", file_of(tmp_path, b"kept"), until).version or ""
        longer = remote.lengthen("L1/r1.mp4", version, until + DAY_MS)
        assert longer >= until + DAY_MS
        assert remote.lengthen("L1/r1.mp4", version, until) == longer


class TestTheTrialAtTheStart:
    def test_a_bucket_without_locks_is_found_out_and_claims_none(
        self, make_bucket: MakeBucket, tmp_path: Path
    ) -> None:
        plain = S3Store(make_bucket(locks=False))
        assert plain.prove_lock() is Proof.NOT_ENFORCED
        stat = plain.put("L1/r1.mp4", file_of(tmp_path, b"kept"), now_ms() + DAY_MS)
        assert not stat.locked

    def test_a_versioned_bucket_without_locks_too(self, make_bucket: MakeBucket, s3: Any) -> None:
        settings = make_bucket(locks=False)
        s3.put_bucket_versioning(Bucket=settings.bucket, VersioningConfiguration={"Status": "Enabled"})
        assert S3Store(settings).prove_lock() is Proof.NOT_ENFORCED

    def test_a_wrong_secret_proves_nothing_and_is_not_repeated_in_the_error(self, bucket: S3Settings) -> None:
        store = S3Store(replace(bucket, secret_key="not-the-secret"))
        with pytest.raises(StoreAwayError, match="SignatureDoesNotMatch") as refused:
            store.prove_lock()
        assert "not-the-secret" not in f"{refused.value!r}{store.settings!r}"
        assert store.proof is Proof.UNKNOWN


class TestAFileInParts:
    def test_arrives_whole_verified_and_locked(self, remote: S3Store, s3: Any, tmp_path: Path) -> None:
        content = os.urandom(2 * PART + 77)
        stat = remote.put("L1/r1.mp4", file_of(tmp_path, content, "r1.mp4"), now_ms() + DAY_MS)
        assert (stat.size, stat.locked) == (len(content), True)
        assert read(remote, "L1/r1.mp4", 0, stat.version) == content
        head = s3.head_object(
            Bucket=remote.settings.bucket, Key=remote.settings.prefix + "L1/r1.mp4", VersionId=stat.version
        )
        assert head["ETag"].strip('"').endswith("-3")
        assert head["Metadata"]["sha256"] == hashlib.sha256(content).hexdigest()
        assert head["ContentType"] == "video/mp4"

    def test_goes_on_after_a_crash_with_what_the_server_has(
        self, bucket: S3Settings, remote: S3Store, proxy: FaultProxy, tmp_path: Path
    ) -> None:
        content = os.urandom(4 * PART)
        path = file_of(tmp_path, content)
        note, stop = UploadNote(), threading.Event()
        note.save = lambda: stop.set() if len(note.parts) >= 2 else None
        slow = S3Store(replace(remote.settings, threads=1))
        with pytest.raises(StoppedUploadError):
            slow.put("L1/r1.mp4", path, None, note, stop)
        kept = UploadNote()
        kept.load(note.as_json())
        assert 2 <= len(kept.parts) < 4
        through = S3Store(replace(remote.settings, endpoint=proxy.endpoint))
        through.put("L1/r1.mp4", path, None, kept)
        assert kept.upload_id == note.upload_id
        assert {n: kept.parts[n].etag for n in note.parts} == {n: p.etag for n, p in note.parts.items()}
        assert read(remote, "L1/r1.mp4") == content

    def test_one_object_is_published_when_the_last_answer_is_lost(
        self, remote: S3Store, s3: Any, proxy: FaultProxy, tmp_path: Path
    ) -> None:
        path = file_of(tmp_path, os.urandom(PART + 5))
        proxy.fault = Fault.LOSE_ANSWER
        through = S3Store(replace(remote.settings, endpoint=proxy.endpoint))
        note = UploadNote()
        with pytest.raises(StoreAwayError):
            through.put("L1/r1.mp4", path, None, note)
        proxy.wait_for(Fault.LOSE_ANSWER)
        stat = through.put("L1/r1.mp4", path, None, note)
        found = s3.list_object_versions(Bucket=remote.settings.bucket, Prefix=remote.settings.prefix + "L1/")
        assert [version["VersionId"] for version in found["Versions"]] == [stat.version]

    def test_an_upload_that_nobody_noted_is_not_left_behind(
        self, remote: S3Store, s3: Any, tmp_path: Path
    ) -> None:
        of = {"Bucket": remote.settings.bucket, "Key": remote.settings.prefix + "L1/r1.mp4"}
        s3.create_multipart_upload(**of)
        remote.put("L1/r1.mp4", file_of(tmp_path, os.urandom(PART + 5)), None)
        left = s3.list_multipart_uploads(Bucket=of["Bucket"], Prefix=of["Key"])
        assert left.get("Uploads", []) == []

    def test_a_part_with_another_checksum_is_sent_again_a_few_times_only(
        self, remote: S3Store, proxy: FaultProxy, tmp_path: Path
    ) -> None:
        path = file_of(tmp_path, os.urandom(PART + 5))
        through = S3Store(replace(remote.settings, endpoint=proxy.endpoint, threads=1))
        proxy.fault = Fault.WRONG_ETAG
        with pytest.raises(OSError, match="another checksum"):
            through.put("L1/r1.mp4", path, None)
        assert proxy.counts.by_fault[Fault.WRONG_ETAG] == PART_TRIES
        proxy.set(Fault.NONE)
        through.put("L1/r1.mp4", path, None)
        assert read(remote, "L1/r1.mp4") == path.read_bytes()


class TestAPresignedAddress:
    def fetch(self, address: str, **headers: str) -> tuple[int, bytes]:
        try:
            with urllib.request.urlopen(urllib.request.Request(address, headers=headers), timeout=10) as got:
                return got.status, got.read()
        except urllib.error.HTTPError as refused:
            return refused.code, b""

    def test_plays_ranges_of_the_locked_version_and_nothing_when_changed(
        self, remote: S3Store, tmp_path: Path
    ) -> None:
        stat = remote.put("L1/r1.mp4", file_of(tmp_path, b"0123456789"), now_ms() + DAY_MS)
        address = remote.presigned("L1/r1.mp4", stat.version, 60, "r1.mp4", "")
        assert self.fetch(address, Range="bytes=2-4") == (206, b"234")
        assert self.fetch(address[:-4] + "0000")[0] == 403
