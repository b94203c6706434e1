"""What others say of the head: witnesses that signed, a bucket that keeps it, a stamp of when it was there.

Each is of a head of its own, the bundle's or another one of the same log, with the proof that of both ledgers
one begins the other (RFC 9162 2.1.4). How far each can be checked without a network differs, and the report
says so: a witness's answer and a stamp are signed by them; a bucket signs nothing, so that its record is the
server's word, and what must lie in the bucket if it is true follows from the record.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from liveserver.core import heads, stamp
from liveserver.core.bundle import form
from liveserver.core.bundle.reading import Misfit
from liveserver.core.heads import Head, HeadError, Verify, Witnessed
from liveserver.core.ledger import canonical_json
from liveserver.core.merkle import verify_consistency
from liveserver.core.stamp import Stamp, StampError

if TYPE_CHECKING:
    from liveserver.core.bundle.check import Report

ROWS_MAX = 16
"""Of witnesses, and of places: a signature takes milliseconds to check."""
EARLY_MS = 600_000
"""So much may the server's clock be ahead of an authority's; a stamp from before its head is none."""
_HASH = re.compile(r"[0-9a-f]{64}")
_BUCKET = frozenset({"bucket", "key", "version", "retain_until_ms", "locked", "sha256"})
_STAMP = frozenset({"head", "at_ms", "serial", "token"})


@dataclass(frozen=True, slots=True)
class Trusted:
    """What the reader knows from elsewhere: ids of witnesses' keys, SHA-256 of authorities' certificates.
    Each must have answered."""

    witnesses: Sequence[str] = ()
    authorities: Sequence[str] = ()


NOBODY = Trusted()


@dataclass(frozen=True, slots=True)
class Stamped:
    """A stamp that holds, over a head of `size` entries that was signed at `head_ms` by the server's clock.
    `is_known`: the reader named its certificate. `token`: the authority's answer, whole."""

    stamp: Stamp
    size: int
    head_ms: int
    head: str
    token: bytes
    is_known: bool


@dataclass(frozen=True, slots=True)
class Kept:
    """What must lie in a bucket if the server's record is true."""

    size: int
    bucket: str
    key: str
    version: str
    sha256: str
    locked_until_ms: int | None


def object_key(log: str, size: int) -> str:
    """Where a head lies in a bucket that several logs may share."""
    return f"ledger/{log[:16]}/heads/{size:012d}.json"


def object_bytes(head: Mapping[str, Any], keys: Sequence[Mapping[str, Any]]) -> bytes:
    """What lies there."""
    return canonical_json({"head": head, "keys": keys}).encode()


class Outside:
    """`keys`: the log's by their ids; `documents`: the same as they are shown. Raises Misfit."""

    def __init__(
        self,
        head: Head,
        keys: heads.Keys,
        documents: Sequence[Mapping[str, Any]],
        report: Report,
        verify: Verify,
    ):
        self._head = head
        self._keys = keys
        self._documents = documents
        self._report = report
        self._verify = verify

    def check(self, given: Mapping[str, Any], trusted: Trusted) -> None:
        """All of `head.json` that is not the log's own."""
        answered = set()
        for number, row in enumerate(rows(given.get("witnessed"))):
            answered.add(self._witnessed(row, f"witnessed {number + 1}"))
        for number, row in enumerate(rows(given.get("places"))):
            self._place(row, f"places {number + 1}", trusted)
        for key in trusted.witnesses:
            if key not in answered:
                raise Misfit(form.HEAD, "witnessed", f"the witness {key} has not answered")
        stamped = {one.stamp.certificate for one in self._report.stamps}
        for certificate in trusted.authorities:
            if certificate not in stamped:
                raise Misfit(form.HEAD, "places", f"no stamp was made with the certificate {certificate}")
        if not answered:
            self._report.notes.append(_alone(self._report.stamps))

    # --- witnesses that sign ---

    def _witnessed(self, row: Mapping[str, Any], place: str) -> str:
        """Its answer is signed, and one of both ledgers begins with the other; the id of its key."""
        try:
            answer, public = Witnessed.read(an_object(row.get("answer"))), hash_of(row.get("public"))
            heads.check(answer, {heads.key_id(public): public}, self._head.log, self._verify)
        except HeadError as error:
            raise Misfit(form.HEAD, place, f"the witness did not sign this ({error})") from error
        self._grew(answer.size, answer.root, row, place, "the one that the witness saw")
        self._report.witnesses.append((str(row.get("name", "")), answer.size, answer.at_ms))
        return answer.key

    # --- places that keep a head ---

    def _place(self, row: Mapping[str, Any], place: str, trusted: Trusted) -> None:
        """A record of a head that the log signed too."""
        try:
            head = Head.read(an_object(row.get("head")))
            heads.check(head, self._keys, self._head.log, self._verify)
            kept = an_object(row.get("kept"))
        except HeadError as error:
            words = f"what is kept outside is no head of this ledger ({error})"
            raise Misfit(form.HEAD, f"{place}, head", words) from error
        self._grew(head.size, head.root, row, place, "the one whose head is kept outside")
        if kept.keys() == _STAMP:
            self._stamp(head, kept, place, trusted)
        elif kept.keys() == _BUCKET:
            self._bucket(head, kept, place)
        else:
            self._report.notes.append(
                f"{row.get('name')!r} keeps a head over {head.size} entries in another way, unchecked here."
            )

    def _stamp(self, head: Head, kept: Mapping[str, Any], place: str, trusted: Trusted) -> None:
        """RFC 3161: the authority stamped this very head, and the record says what the stamp says."""
        if kept["head"] != head.hash():
            raise Misfit(form.HEAD, f"{place}, kept.head", "the stamp is told to be of another head")
        try:
            token = base64.b64decode(str(kept["token"]), validate=True)
            if base64.b64encode(token).decode() != kept["token"]:
                raise ValueError("not as it is written")
            found = stamp.check(token, bytes.fromhex(head.hash()))
        except StampError as error:
            raise Misfit(
                form.HEAD, f"{place}, kept.token", f"the time stamp does not hold: {error}"
            ) from error
        except ValueError as error:
            raise Misfit(form.HEAD, f"{place}, kept.token", "it is not written in base64") from error
        for name, value in (("at_ms", found.at_ms), ("serial", str(found.serial))):
            if kept[name] != value:
                words = f"{kept[name]!r} is told, the stamp says {value!r}"
                raise Misfit(form.HEAD, f"{place}, kept.{name}", words)
        if found.at_ms < head.at_ms - EARLY_MS:
            words = f"it was stamped {(head.at_ms - found.at_ms) // 60_000} minutes before it was signed"
            raise Misfit(form.HEAD, f"{place}, kept.at_ms", words)
        is_known = found.certificate in trusted.authorities
        self._report.stamps.append(Stamped(found, head.size, head.at_ms, head.hash(), token, is_known))

    def _bucket(self, head: Head, kept: Mapping[str, Any], place: str) -> None:
        """The record is of this head's object: its name, its SHA-256, a lock that outlasts the head."""
        key, until_ms, version, locked = (
            kept[name] for name in ("key", "retain_until_ms", "version", "locked")
        )
        lasts = (not locked and until_ms is None) or (type(until_ms) is int and until_ms > head.at_ms)
        # The log may have been handed to further keys since: kept was a row of them with the head's own.
        own, until = (
            list(self._keys).index(head.key),
            sum(one["size"] <= head.size for one in self._documents),
        )
        shown = [self._documents[:count] for count in range(own + 1, until + 1)]
        digests = [sha256(object_bytes(head.document(), keys)).hexdigest() for keys in shown]
        is_here = f"/{key}".endswith("/" + object_key(head.log, head.size))
        for name, fits, words in (
            ("key", is_here, f"{key!r} is told, which is not where a head over {head.size} entries lies"),
            ("sha256", kept["sha256"] in digests, "the bucket was given other bytes than this head"),
            ("version", version is None or (isinstance(version, str) and version), "it names no version"),
            ("locked", type(locked) is bool and (version or not locked), "what has no version has no lock"),
            ("retain_until_ms", lasts, "it is no time, or from before the head was signed"),
        ):
            if not fits:
                raise Misfit(form.HEAD, f"{place}, kept.{name}", words)
        self._report.kept.append(
            Kept(
                head.size,
                str(kept["bucket"]),
                key,
                version or "",
                kept["sha256"],
                until_ms if locked else None,
            )
        )

    def _grew(self, size: int, root: str, row: Mapping[str, Any], place: str, which: str) -> None:
        try:
            path = [hash_of(node) for node in a_list(row.get("consistency"))]
            theirs = size, hash_of(root)
        except HeadError as error:
            raise Misfit(form.HEAD, f"{place}, consistency", f"it is no proof ({error})") from error
        ours = self._head.size, bytes.fromhex(self._head.root)
        first, second = sorted((theirs, ours), key=lambda tree: tree[0])
        if not verify_consistency(first[0], second[0], first[1], second[1], path):
            raise Misfit(form.HEAD, place, f"the ledger is not {which}: it was written anew")


def _alone(stamps: Sequence[Stamped]) -> str:
    if not stamps:
        return "No witness outside has seen this head: who holds the log's key could have written it anew."
    return (
        "No witness that remembers has signed: whoever held the log's key could have written the ledger anew "
        "before it was stamped, and not since."
    )


def rows(value: object) -> list[Mapping[str, Any]]:
    """At most `ROWS_MAX` objects. Raises Misfit."""
    try:
        if len(a_list(value)) > ROWS_MAX:
            raise HeadError("there are too many")
        return [an_object(one) for one in a_list(value)]
    except HeadError as error:
        raise Misfit(form.HEAD, "", f"it is not as this format has it ({error})") from error


def hash_of(value: object) -> bytes:
    """32 bytes of hexadecimal digits. Raises HeadError."""
    if not isinstance(value, str) or _HASH.fullmatch(value) is None:
        raise HeadError("64 hexadecimal digits are expected")
    return bytes.fromhex(value)


def an_object(value: object) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise HeadError("an object is expected")
    return value


def a_list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise HeadError("a list is expected")
    return value
