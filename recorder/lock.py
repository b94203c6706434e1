"""Whether an S3 store really keeps what it was told to keep: shown by a trial, not believed.

Servers accept lock headers without acting on them, so a small object is locked in compliance mode for an hour
and two things are tried that must fail: to delete its *version* (a delete without a version id only adds a
marker and always succeeds), and to move its date nearer. Before that the same credentials delete a version
without a lock: who may delete nothing learns nothing from a refusal. Servers word refusals differently, so
any answer of 400 to 409 counts, as long as the version and its date are there afterwards.
"""

from __future__ import annotations

import math
import secrets
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from botocore.exceptions import ClientError

TRIAL_FOLDER = "lock-trial/"
TRIAL_LENGTH = timedelta(hours=1)  # clocks of two machines differ by less
MAX_TIDIED = 50
_REFUSALS = frozenset({400, 401, 403, 405, 409})
# What servers say of a bucket that was made without object lock.
_NO_LOCKS = frozenset({"InvalidRequest", "NotImplemented", "MethodNotAllowed", "InvalidBucketState"})


class Proof(StrEnum):
    """What is known of a store's locks."""

    PROVEN = "proven"
    NOT_ENFORCED = "not_enforced"
    UNKNOWN = "unknown"
    """Not tried yet, or the trial failed for another reason."""
    NONE = "none"
    """A disk, which has no locks."""


def error_code(error: ClientError) -> str:
    """S3's code of an error answer, such as `AccessDenied`; `404` of a HEAD, which has no body."""
    return str(error.response.get("Error", {}).get("Code", ""))


def prove(client: Any, bucket: str, prefix: str) -> tuple[Proof, str]:
    """Try it on the bucket: the verdict, and in words why. Raises ClientError, BotoCoreError when away."""
    _tidy(client, bucket, prefix)
    key = f"{prefix}{TRIAL_FOLDER}{secrets.token_hex(8)}"
    free = _put(client, bucket, key)
    if free in (None, "null"):
        client.delete_object(Bucket=bucket, Key=key)
        return Proof.NOT_ENFORCED, "the bucket keeps no versions"
    if _refused(_delete, client, bucket, key, free):
        return Proof.UNKNOWN, "these credentials may not delete even a version without a lock"
    version = str(_put(client, bucket, key))
    until = datetime.now(UTC) + TRIAL_LENGTH
    try:
        set_retention(client, bucket, key, version, until)
    except ClientError as error:
        if error_code(error) not in _NO_LOCKS:
            raise
        client.delete_object(Bucket=bucket, Key=key, VersionId=version)
        return Proof.NOT_ENFORCED, f"the bucket takes no locks ({error_code(error)})"
    if (read_retention(client, bucket, key, version) or 0) < _ms(until):
        return Proof.NOT_ENFORCED, "the date of a lock cannot be read back"
    if not _refused(set_retention, client, bucket, key, version, until - TRIAL_LENGTH / 2):
        return Proof.NOT_ENFORCED, "a lock's date was moved nearer"
    if not _refused(_delete, client, bucket, key, version):
        return Proof.NOT_ENFORCED, "a locked version was deleted"
    if (read_retention(client, bucket, key, version) or 0) < _ms(until):
        return Proof.NOT_ENFORCED, "a lock did not outlast an attempt to break it"
    return Proof.PROVEN, "a delete and a nearer date were refused"


def set_retention(client: Any, bucket: str, key: str, version: str, until: datetime) -> None:
    """Lock a version in compliance mode. Raises ClientError `AccessDenied` if it is locked for longer."""
    whole = datetime.fromtimestamp(math.ceil(until.timestamp()), UTC)  # S3 keeps seconds
    client.put_object_retention(
        Bucket=bucket,
        Key=key,
        VersionId=version,
        Retention={"Mode": "COMPLIANCE", "RetainUntilDate": whole},
    )


def read_retention(client: Any, bucket: str, key: str, version: str) -> int | None:
    """Until when (ms since 1970) a version is locked in compliance mode; None if it is not."""
    try:
        found = client.get_object_retention(Bucket=bucket, Key=key, VersionId=version).get("Retention", {})
    except ClientError as error:
        if error_code(error) in ("NoSuchObjectLockConfiguration", "ObjectLockConfigurationNotFoundError"):
            return None
        if error_code(error) in ("NoSuchKey", "NoSuchVersion", "404") or error_code(error) in _NO_LOCKS:
            return None
        raise
    if found.get("Mode") != "COMPLIANCE":
        return None
    until: datetime = found["RetainUntilDate"]
    return _ms(until)


def _ms(time: datetime) -> int:
    return int(time.timestamp() * 1000)


def _refused(attempt: Any, client: Any, bucket: str, key: str, version: str, *more: Any) -> bool:
    """Whether the store says no. Raises ClientError when it answers something else."""
    try:
        attempt(client, bucket, key, version, *more)
    except ClientError as error:
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        if status not in _REFUSALS:
            raise
        return True
    return False


def _put(client: Any, bucket: str, key: str) -> str | None:
    version: str | None = client.put_object(Bucket=bucket, Key=key, Body=b"A trial of object lock.\n").get(
        "VersionId"
    )
    return version


def _delete(client: Any, bucket: str, key: str, version: str) -> None:
    client.delete_object(Bucket=bucket, Key=key, VersionId=version)


def _tidy(client: Any, bucket: str, prefix: str) -> None:
    """Remove the trials whose hour is over; those that are still locked stay for the next time."""
    folder = prefix + TRIAL_FOLDER
    found = client.list_object_versions(Bucket=bucket, Prefix=folder, MaxKeys=MAX_TIDIED)
    over = datetime.now(UTC) - 2 * TRIAL_LENGTH
    for version in found.get("Versions", []):
        if version["LastModified"] < over:
            _refused(_delete, client, bucket, version["Key"], version["VersionId"])
