"""One file into an S3 bucket: in parts, checked part by part, taken up again where a crash left it.

Parts are read one after the other and sent by a few threads, so there are never more in memory than threads.
Each carries its SHA-256 and its MD5. A part counts when the server repeats the SHA-256 it computed, or at
least its MD5 as the ETag; anything else is sent again, a bounded number of times. What is done is noted on
disk (`UploadNote`) and compared with the server's own list before it is believed: a note may be older than a
crash. The SHA-256 of a whole multipart object does not exist in S3 (its checksum is composite), which is why
`recorder.s3` reads an object back when the server gave no checksums.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

MIN_PART_BYTES = 5 * 1024 * 1024  # S3's own bound for all parts but the last
MAX_PARTS = 10_000  # S3's
PART_TRIES = 3
PAUSE_S = 0.5  # doubled after each try
CONTENT_TYPES = {".mp4": "video/mp4", ".jsonl": "application/x-ndjson", ".mkv": "video/x-matroska",
                 ".vtt": "text/vtt", ".jpg": "image/jpeg"}  # fmt: skip


class StoppedUploadError(OSError):
    """The process ends; the next start takes the upload up again."""


class WrongPartError(OSError):
    """The server holds other bytes than were sent, several times."""


@dataclass(frozen=True, slots=True)
class Part:
    """What was sent as part `number` (from 1): hex digests and the server's ETag."""

    number: int
    sha256: str
    md5: str
    etag: str
    by_sha256: bool
    """The server computed the SHA-256 itself and it is ours."""


@dataclass(slots=True)
class UploadNote:
    """An upload under way, as it is kept on disk; `save` is called after each change."""

    upload_id: str = ""
    part_bytes: int = 0
    parts: dict[int, Part] = field(default_factory=dict)
    verified: str = ""
    """The version that was read back and found whole."""
    save: Callable[[], None] = lambda: None

    def as_json(self) -> dict[str, Any]:
        parts = [asdict(part) for _, part in sorted(self.parts.items())]
        return {"upload_id": self.upload_id, "part_bytes": self.part_bytes, "parts": parts,
                "verified": self.verified}  # fmt: skip

    def load(self, known: dict[str, Any]) -> None:
        """Take over what `as_json` wrote."""
        self.upload_id, self.part_bytes = known["upload_id"], known["part_bytes"]
        self.verified = known["verified"]
        self.parts = {part["number"]: Part(**part) for part in known["parts"]}

    def forget(self) -> None:
        """Begin anew."""
        self.upload_id, self.part_bytes, self.parts, self.verified = "", 0, {}, ""
        self.save()


@dataclass(frozen=True, slots=True)
class Plan:
    """What is sent where. `threads` parts of `part_bytes` at most are in memory."""

    bucket: str
    key: str
    path: Path
    size: int
    sha256: str
    part_bytes: int
    threads: int

    @property
    def metadata(self) -> dict[str, str]:
        return {"sha256": self.sha256}

    @property
    def content_type(self) -> str:
        return CONTENT_TYPES.get(self.path.suffix, "application/octet-stream")


@dataclass(frozen=True, slots=True)
class Uploaded:
    """`version` is the new object's, None where the bucket keeps none. `by_sha256`: the server has verified
    every byte by SHA-256 itself, so that nothing needs to be read back."""

    version: str | None
    by_sha256: bool


def upload(client: Any, plan: Plan, note: UploadNote, stop: threading.Event) -> Uploaded:
    """Send the file. Raises ClientError, BotoCoreError, OSError; running it again goes on where it was."""
    if plan.size <= plan.part_bytes:
        return _in_one(client, plan)
    # More parts than S3 allows would be refused at the end, after everything was sent.
    least = -(-plan.size // MAX_PARTS)
    plan = replace(plan, part_bytes=note.part_bytes or max(plan.part_bytes, least, MIN_PART_BYTES))
    _begin(client, plan, note)
    parts = _send_parts(client, plan, note, stop)
    done = client.complete_multipart_upload(
        Bucket=plan.bucket,
        Key=plan.key,
        UploadId=note.upload_id,
        MultipartUpload={"Parts": [_completed(part) for part in parts]},
    )
    by_sha256 = all(part.by_sha256 for part in parts) and done.get("ChecksumSHA256") in _composites(parts)
    return Uploaded(done.get("VersionId"), by_sha256)


def _in_one(client: Any, plan: Plan) -> Uploaded:
    data = plan.path.read_bytes()
    sha256, md5 = hashlib.sha256(data), hashlib.md5(data, usedforsecurity=False)
    answer = client.put_object(
        Bucket=plan.bucket,
        Key=plan.key,
        Body=data,
        ContentType=plan.content_type,
        Metadata=plan.metadata,
        ContentMD5=_base64(md5.digest()),
        ChecksumSHA256=_base64(sha256.digest()),
    )
    by_sha256 = answer.get("ChecksumSHA256") == _base64(sha256.digest())
    return Uploaded(answer.get("VersionId"), by_sha256)


def _begin(client: Any, plan: Plan, note: UploadNote) -> None:
    """Make sure that `note` names a living upload and lists only parts that the server has."""
    held = _held_parts(client, plan, note.upload_id) if note.upload_id else None
    if held is None:
        note.parts, note.upload_id = {}, ""
        for stray in _strays(client, plan):
            client.abort_multipart_upload(Bucket=plan.bucket, Key=plan.key, UploadId=stray)
        begun = client.create_multipart_upload(
            Bucket=plan.bucket,
            Key=plan.key,
            ContentType=plan.content_type,
            Metadata=plan.metadata,
            ChecksumAlgorithm="SHA256",
        )
        note.upload_id, note.part_bytes = begun["UploadId"], plan.part_bytes
        note.save()
        return
    note.parts = {n: part for n, part in note.parts.items() if held.get(n) == part.etag}


def _held_parts(client: Any, plan: Plan, upload_id: str) -> dict[int, str] | None:
    """ETags by part number as the server has them, None if it knows no such upload."""
    found: dict[int, str] = {}
    marker = 0
    while True:
        try:
            page = client.list_parts(
                Bucket=plan.bucket, Key=plan.key, UploadId=upload_id, PartNumberMarker=marker
            )
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in ("NoSuchUpload", "404"):
                return None
            raise
        found |= {part["PartNumber"]: part["ETag"] for part in page.get("Parts", [])}
        following = int(page.get("NextPartNumberMarker") or 0)
        if not page.get("IsTruncated") or following <= marker:
            return found
        marker = following


def _strays(client: Any, plan: Plan) -> list[str]:
    """Uploads of this key that a crash left before they were noted; their parts would be paid for ever."""
    page = client.list_multipart_uploads(Bucket=plan.bucket, Prefix=plan.key)
    return [found["UploadId"] for found in page.get("Uploads", []) if found["Key"] == plan.key]


def _send_parts(client: Any, plan: Plan, note: UploadNote, stop: threading.Event) -> list[Part]:
    """Send what is missing; all parts in order."""
    room = threading.Semaphore(plan.threads)
    guard = threading.Lock()
    failed = threading.Event()

    def send(number: int, data: bytes) -> None:
        try:
            part = _send_part(client, plan, note.upload_id, number, data, stop)
            with guard:
                note.parts[number] = part
                note.save()
        except BaseException:
            failed.set()
            raise
        finally:
            room.release()

    running: list[Future[None]] = []
    with ThreadPoolExecutor(plan.threads, thread_name_prefix="upload") as pool:
        for number, data in _read_parts(plan, note, guard):
            while not room.acquire(timeout=0.2):
                if stop.is_set() or failed.is_set():
                    break
            if stop.is_set() or failed.is_set():
                break
            running.append(pool.submit(send, number, data))
    for future in running:
        future.result()
    if stop.is_set():
        raise StoppedUploadError("stopped")
    return [part for _, part in sorted(note.parts.items())]


def _read_parts(plan: Plan, note: UploadNote, guard: threading.Lock) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each part that the server does not hold yet."""
    with plan.path.open("rb") as file:
        for number in range(1, -(-plan.size // plan.part_bytes) + 1):
            data = file.read(plan.part_bytes)
            with guard:
                known = note.parts.get(number)
            if known is None or known.sha256 != hashlib.sha256(data).hexdigest():
                yield number, data


def _send_part(
    client: Any, plan: Plan, upload_id: str, number: int, data: bytes, stop: threading.Event
) -> Part:
    sha256 = hashlib.sha256(data).digest()
    md5 = hashlib.md5(data, usedforsecurity=False)
    pause_s = PAUSE_S
    for attempt in range(1, PART_TRIES + 1):
        if stop.is_set():
            raise StoppedUploadError("stopped")
        try:
            answer = client.upload_part(
                Bucket=plan.bucket,
                Key=plan.key,
                UploadId=upload_id,
                PartNumber=number,
                Body=data,
                ContentMD5=_base64(md5.digest()),
                ChecksumSHA256=_base64(sha256),
            )
        except (ClientError, BotoCoreError) as error:
            if attempt == PART_TRIES or not is_passing(error):
                raise
        else:
            by_sha256 = answer.get("ChecksumSHA256") == _base64(sha256)
            if by_sha256 or answer["ETag"].strip('"') == md5.hexdigest():
                return Part(number, sha256.hex(), md5.hexdigest(), answer["ETag"], by_sha256)
        stop.wait(pause_s)
        pause_s *= 2
    raise WrongPartError(f"part {number} of {plan.key} has another checksum at the server than here")


def is_passing(error: ClientError | BotoCoreError) -> bool:
    """Whether the same request may succeed later."""
    if isinstance(error, BotoCoreError):
        return True
    status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    damaged = error.response.get("Error", {}).get("Code") in ("BadDigest", "RequestTimeout", "SlowDown")
    return status >= 500 or status in (408, 429) or damaged


def _completed(part: Part) -> dict[str, Any]:
    done: dict[str, Any] = {"PartNumber": part.number, "ETag": part.etag}
    if part.by_sha256:
        done["ChecksumSHA256"] = _base64(bytes.fromhex(part.sha256))
    return done


def _composites(parts: list[Part]) -> tuple[str, str]:
    """The checksum of checksums, as servers write it: with the number of parts, and without."""
    whole = _base64(hashlib.sha256(b"".join(bytes.fromhex(part.sha256) for part in parts)).digest())
    return f"{whole}-{len(parts)}", whole


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
