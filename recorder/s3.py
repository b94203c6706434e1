"""The object store in an S3 bucket (AWS, Ceph, any server of that API), with object lock in compliance mode.

An object is put in these steps, each of which can be cut short and runs again: look for a version that
already holds these bytes (a crash or a lost answer came after the upload's end); send; make sure of the
bytes, by the server's SHA-256 of every part or by reading the whole version back; lock that *version* until
the retention date and read the date back. Locks are set after the upload and not with it because some servers
drop the lock headers of a multipart upload. Nothing here deletes a local file.

Every access names a version: a plain delete by somebody else only hides the newest one.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO, cast

from botocore.exceptions import BotoCoreError, ClientError

from recorder import lock
from recorder.lock import Proof, error_code
from recorder.objects import ObjectError, ObjectStat, checked, sha256_of
from recorder.upload import Plan, UploadNote, upload

PAGE = 100  # versions of one key: there is one, unless somebody meddles
PAGE_KEYS = 1000
_READ_BYTES = 1024 * 1024
_GONE = frozenset({"404", "NoSuchKey", "NoSuchVersion", "NotFound"})


class StoreAwayError(OSError):
    """The store is away, or refuses for a reason of its own; `code` is S3's or the failure's name."""

    def __init__(self, code: str):
        super().__init__(f"the object store failed: {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class S3Settings:
    """Where the bucket is. Empty keys: boto3's own search (environment, instance role). Never logged."""

    bucket: str
    endpoint: str = ""
    """"" is AWS."""
    region: str = "us-east-1"
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)
    prefix: str = ""
    """In front of every key, with its final slash."""
    part_bytes: int = 8 * 1024 * 1024
    threads: int = 4
    timeout_s: float = 20.0
    """For a connection, and between two packets of an answer."""
    lock: bool = True


class S3Store:
    """Objects in a bucket. Fits `recorder.objects.ObjectStore`; safe to use from several threads."""

    def __init__(self, settings: S3Settings) -> None:
        self.settings = settings
        self.proof = Proof.UNKNOWN
        self.proof_detail = ""
        self._bucket = settings.bucket
        self._client = _client(settings, settings.endpoint)

    def prove_lock(self) -> Proof:
        """Try whether the bucket's locks hold (`recorder.lock`). Raises StoreAwayError."""
        with _failures_named(""):
            self.proof, self.proof_detail = lock.prove(self._client, self._bucket, self.settings.prefix)
        return self.proof

    def put(
        self,
        key: str,
        path: Path,
        retain_until_ms: int | None,
        note: UploadNote | None = None,
        stop: threading.Event | None = None,
    ) -> ObjectStat:
        """Raises ObjectError `exists`, `damaged` (the server's copy is not ours: put again), OSError."""
        checked(key)
        note = note or UploadNote()
        plan = self._plan(key, path)
        with _failures_named(key):
            known, version = self._known(plan)
            if not known:
                done = upload(self._client, plan, note, stop or threading.Event())
                version = done.version or self._known(plan)[1]
                if not done.by_sha256:
                    self._verify(plan, version, note)
            else:
                self._verify(plan, version, note)  # whoever sent it may have died before it was verified
            until_ms = None
            if retain_until_ms is not None and version is not None and self.proof is Proof.PROVEN:
                until_ms = self._lock(plan.key, version, retain_until_ms)
        locked = until_ms is not None and until_ms >= (retain_until_ms or 0)
        return ObjectStat(key, plan.size, until_ms if locked else retain_until_ms, locked, version)

    def open_range(self, key: str, start: int = 0, version: str | None = None) -> BinaryIO:
        size = self.stat(key, version).size
        if not 0 <= start <= size:
            raise ObjectError("bad_range", key)
        if start == size:
            return cast(BinaryIO, _Body(None))
        with _failures_named(key):
            answer = self._client.get_object(**self._named(key, version), Range=f"bytes={start}-")
        return cast(BinaryIO, _Body(answer["Body"]))

    def first_version(self, key: str) -> str | None:
        """The version that was put first, whatever was put over it; None in a bucket without versions.

        Raises ObjectError `not_found`, OSError.
        """
        full = self.settings.prefix + checked(key)
        with _failures_named(key):
            page = self._client.list_object_versions(Bucket=self._bucket, Prefix=full, MaxKeys=PAGE)
        found = [one for one in page.get("Versions", []) if one["Key"] == full]
        if not found:
            raise ObjectError("not_found", key)
        # The answer is newest first, also among those of one second.
        return None if found[-1]["VersionId"] == "null" else str(found[-1]["VersionId"])

    def keys(self, folder: str, after: str = "", limit: int = PAGE_KEYS) -> list[str]:
        """Keys below `folder` (with its slash) that come after `after`, in order. Raises OSError."""
        prefix = self.settings.prefix
        begin = {"StartAfter": prefix + after} if after else {}
        with _failures_named(folder):
            page = self._client.list_objects_v2(
                Bucket=self._bucket, Prefix=prefix + folder, MaxKeys=limit, **begin
            )
        return [one["Key"].removeprefix(prefix) for one in page.get("Contents", [])]

    def stat(self, key: str, version: str | None = None) -> ObjectStat:
        checked(key)
        with _failures_named(key):
            found = self._client.head_object(**self._named(key, version))
        until: datetime | None = found.get("ObjectLockRetainUntilDate")
        until_ms = None if until is None else int(until.timestamp() * 1000)
        compliance = found.get("ObjectLockMode") == "COMPLIANCE"
        locked = self.proof is Proof.PROVEN and compliance and until_ms is not None
        return ObjectStat(key, found["ContentLength"], until_ms, locked, found.get("VersionId"))

    def delete(self, key: str, now_ms: int, version: str | None = None) -> None:
        stat = self.stat(key, version)
        if (stat.retain_until_ms or 0) > now_ms:
            raise ObjectError("locked", key)
        with _failures_named(key):
            try:
                self._client.delete_object(**self._named(key, stat.version))
            except ClientError as error:
                if stat.retain_until_ms is not None and error_code(error) in ("AccessDenied", "403"):
                    raise ObjectError("locked", key) from None  # by the bucket's clock its date has not come
                raise

    def lengthen(self, key: str, version: str, until_ms: int) -> int:
        """Move a locked version's date away; the date as read back. Raises as `put` does."""
        with _failures_named(key):
            return self._lock(self.settings.prefix + checked(key), version, until_ms)

    def hold(self, key: str, version: str, *, on: bool) -> None:
        """S3's own legal hold: the version cannot be deleted while it is on, whatever its date."""
        with _failures_named(key):
            self._client.put_object_legal_hold(
                **self._named(checked(key), version), LegalHold={"Status": "ON" if on else "OFF"}
            )

    def presigned(self, key: str, version: str | None, expires_s: int, file_name: str, public: str) -> str:
        """An address that plays the version from the store itself, range requests included. `public`: the
        endpoint as browsers reach it, when it is another one. Signing asks nobody."""
        client = _client(self.settings, public) if public else self._client
        wanted = self._named(checked(key), version) | {
            "ResponseContentDisposition": f'inline; filename="{file_name}"',
            "ResponseContentType": "video/mp4",
        }
        address: str = client.generate_presigned_url("get_object", Params=wanted, ExpiresIn=expires_s)
        return address

    def _plan(self, key: str, path: Path) -> Plan:
        size = path.stat().st_size
        of = self.settings
        return Plan(
            self._bucket, of.prefix + key, path, size, sha256_of(path), of.part_bytes, max(1, of.threads)
        )

    def _known(self, plan: Plan) -> tuple[bool, str | None]:
        """Whether a version holds these bytes, by its size and the hash it was sent with, and which.

        Raises ObjectError `exists` when the key is taken by others.
        """
        page = self._client.list_object_versions(Bucket=self._bucket, Prefix=plan.key, MaxKeys=PAGE)
        taken = [found for found in page.get("Versions", []) if found["Key"] == plan.key]
        for found in taken:
            if found["Size"] == plan.size:
                version = None if found["VersionId"] == "null" else found["VersionId"]
                named = {"VersionId": version} if version else {}
                head = self._client.head_object(Bucket=self._bucket, Key=plan.key, **named)
                if head.get("Metadata", {}).get("sha256") == plan.sha256:
                    return True, version
        if taken:
            raise ObjectError("exists", plan.key)
        return False, None

    def _verify(self, plan: Plan, version: str | None, note: UploadNote) -> None:
        """Read the version back. One that differs is removed again (it is not locked yet): `damaged`."""
        if version is not None and note.verified == version:
            return
        named = {"VersionId": version} if version else {}
        body = self._client.get_object(Bucket=self._bucket, Key=plan.key, **named)["Body"]
        digest = hashlib.sha256()
        try:
            for piece in iter(lambda: body.read(_READ_BYTES), b""):
                digest.update(piece)
        finally:
            body.close()
        if digest.hexdigest() != plan.sha256:
            self._client.delete_object(Bucket=self._bucket, Key=plan.key, **named)
            note.forget()
            raise ObjectError("damaged", plan.key)
        note.verified = version or ""
        note.save()

    def _lock(self, full_key: str, version: str, until_ms: int) -> int:
        """Lock the version and read the date back; one that is locked for longer stays so."""
        known = lock.read_retention(self._client, self._bucket, full_key, version)
        if known is None or known < until_ms:
            until = datetime.fromtimestamp(until_ms / 1000, UTC)
            lock.set_retention(self._client, self._bucket, full_key, version, until)
            known = lock.read_retention(self._client, self._bucket, full_key, version)
        if known is None or known < until_ms:
            raise StoreAwayError("LockNotReadBack")
        return known

    def _named(self, key: str, version: str | None) -> dict[str, str]:
        named = {"Bucket": self._bucket, "Key": self.settings.prefix + key}
        return named | ({"VersionId": version} if version else {})


class _Body:
    """An answer's bytes; what breaks off is an OSError."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, size: int = -1) -> bytes:
        if self._body is None:
            return b""
        try:
            data: bytes = self._body.read(None if size < 0 else size)
        except BotoCoreError as error:
            raise StoreAwayError(type(error).__name__) from None
        return data

    def close(self) -> None:
        if self._body is not None:
            self._body.close()

    def __enter__(self) -> _Body:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __iter__(self) -> Iterator[bytes]:
        return iter(lambda: self.read(_READ_BYTES), b"")


@contextmanager
def _failures_named(key: str) -> Iterator[None]:
    """The library's failures as ours. Their texts may quote addresses with signatures: only codes go on."""
    try:
        yield
    except ClientError as error:
        if error_code(error) in _GONE:
            raise ObjectError("not_found", key) from None
        raise StoreAwayError(error_code(error) or "unknown") from None
    except BotoCoreError as error:
        raise StoreAwayError(type(error).__name__) from None


def _client(settings: S3Settings, endpoint: str) -> Any:
    import boto3  # 30 MB that a recorder without a bucket does not need
    from botocore.config import Config

    return boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint or None,
        region_name=settings.region,
        aws_access_key_id=settings.access_key or None,
        aws_secret_access_key=settings.secret_key or None,
        config=Config(
            signature_version="s3v4",
            s3={"addressing_style": "path" if endpoint else "auto"},
            connect_timeout=min(settings.timeout_s, 5.0),
            read_timeout=settings.timeout_s,
            retries={"total_max_attempts": 1},  # `recorder.upload` and `recorder.archive` repeat, bounded
            max_pool_connections=settings.threads + 2,
            # Checksums are given by `recorder.upload` itself; trailers are unknown to other servers than AWS.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )
