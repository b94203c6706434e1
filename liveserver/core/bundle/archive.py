"""An archive whose bytes follow from its members alone: a ZIP written in one way and read in no other.

Every member is stored as it is (method 0), with the time 1980-01-01 and mode 0644, and every header has one
form (APPNOTE.TXT 4.3). So the same members give the same bytes with any version of any program; nothing can
grow when it is unpacked; and a reader that makes every header again and compares refuses an archive in which
any byte outside the members differs. Members are ASCII names without `..`, each once.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO
from zlib import crc32

MAX_BYTES = 2**31
"""No archive is longer: a lesson of ten thousand learners has some 50 MB."""
MAX_MEMBERS = 4096
CHUNK_BYTES = 1 << 18

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(?:/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}){0,5}", re.ASCII)
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_LOCAL_MARK, _CENTRAL_MARK, _END_MARK = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_VERSION = 20
_UNIX = 3 << 8
_DAY = 0x21  # 1980-01-01, the first there is
_MODE = 0o100644 << 16


class ArchiveError(ValueError):
    """Not an archive of this kind. `place`: the byte it was found at."""

    def __init__(self, place: int, words: str):
        super().__init__(f"at byte {place}: {words}")
        self.place = place
        self.words = words


@dataclass(frozen=True, slots=True)
class Member:
    """`start`: where its header begins, bytes."""

    name: str
    size: int
    crc: int
    start: int

    @property
    def header(self) -> bytes:
        name = self.name.encode()
        fields = (_VERSION, 0, 0, 0, _DAY, self.crc, self.size, self.size, len(name), 0)
        return _LOCAL.pack(_LOCAL_MARK, *fields) + name

    @property
    def listed(self) -> bytes:
        """Its line in the directory at the end."""
        name = self.name.encode()
        fields = (_VERSION | _UNIX, _VERSION, 0, 0, 0, _DAY, self.crc, self.size, self.size, len(name))
        return _CENTRAL.pack(_CENTRAL_MARK, *fields, 0, 0, 0, 0, _MODE, self.start) + name

    @property
    def content(self) -> int:
        """Where its bytes begin."""
        return self.start + _LOCAL.size + len(self.name)


class Writer:
    """Writes into a file that can be read again from its beginning; members come one after the other."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.members: list[Member] = []
        self._open: Member | None = None
        self._size = self._crc = 0

    def begin(self, name: str) -> None:
        """The next member. Raises ValueError for a name that is none, or that is there."""
        if _NAME.fullmatch(name) is None or any(known.name == name for known in self.members):
            raise ValueError(f"{name!r} is no name of a member, or is there twice")
        self._open = Member(name, 0, 0, self._file.tell())
        self._size = self._crc = 0
        self._file.write(self._open.header)

    def write(self, data: bytes) -> None:
        """More of the member. Raises ValueError beyond `MAX_BYTES`."""
        if self._file.tell() + len(data) > MAX_BYTES:
            raise ValueError("more than an archive holds")
        self._file.write(data)
        self._size += len(data)
        self._crc = crc32(data, self._crc)

    def end(self) -> Member:
        """The member is whole: its header is written again, now that its size is known."""
        assert self._open is not None
        member = Member(self._open.name, self._size, self._crc, self._open.start)
        self._file.seek(member.start)
        self._file.write(member.header)
        self._file.seek(0, 2)
        self.members.append(member)
        self._open = None
        return member

    def close(self) -> int:
        """Write the directory; how long the archive is."""
        self._file.write(directory(self.members, self._file.tell()))
        return self._file.tell()


class Reader:
    """An archive that was read from its beginning and found to have the one form. Raises ArchiveError."""

    def __init__(self, file: BinaryIO):
        self._file = file
        self.members: dict[str, Member] = {}
        size = file.seek(0, 2)
        if size > MAX_BYTES:
            raise ArchiveError(MAX_BYTES, "it is longer than an archive of this kind can be")
        place = 0
        while True:
            member = self._member(place, size)
            if member is None:
                break
            if member.name in self.members:
                raise ArchiveError(place, f"{member.name} is there twice")
            self.members[member.name] = member
            place = member.content + member.size
            if len(self.members) > MAX_MEMBERS:
                raise ArchiveError(place, f"it has more than {MAX_MEMBERS} members")
        self._directory(place, size)

    def read(self, name: str, most: int) -> bytes:
        """A whole member. Raises ArchiveError if it is missing or has more than `most` bytes."""
        member = self.members.get(name)
        if member is None:
            raise ArchiveError(0, f"{name} is missing")
        if member.size > most:
            raise ArchiveError(member.start, f"{name} has {member.size} bytes, more than {most}")
        return b"".join(self.chunks(name))

    def chunks(self, name: str) -> Iterator[bytes]:
        """A member's bytes as they are; whether they have their checksum, `is_intact` says."""
        member = self.members[name]
        left, place = member.size, member.content
        while left:
            self._file.seek(place)
            data = self._file.read(min(left, CHUNK_BYTES))
            if not data:
                raise ArchiveError(place, f"{name} ends early")
            left, place = left - len(data), place + len(data)
            yield data

    def is_intact(self, name: str) -> bool:
        """Whether a member has the checksum that its header says."""
        crc = 0
        for data in self.chunks(name):
            crc = crc32(data, crc)
        return crc == self.members[name].crc

    def _member(self, place: int, size: int) -> Member | None:
        """The member whose header is at `place`; None where the directory begins."""
        self._file.seek(place)
        head = self._file.read(_LOCAL.size)
        if place and head[:4] in (_CENTRAL_MARK, _END_MARK):
            return None
        if len(head) < _LOCAL.size:
            raise ArchiveError(place, "it is cut off")
        mark, *_, crc, _, stored, name_bytes, _ = _LOCAL.unpack(head)
        name = self._file.read(min(name_bytes, 1024)).decode("ascii", "replace")
        if mark != _LOCAL_MARK or _NAME.fullmatch(name) is None:
            raise ArchiveError(place, "no member of this kind of archive begins here")
        member = Member(name, stored, crc, place)
        if member.header != head + name.encode():
            raise ArchiveError(place, f"the header of {name} does not have the one form it may have")
        if member.content + stored > size:
            raise ArchiveError(place, f"it is cut off within {name}")
        return member

    def _directory(self, place: int, size: int) -> None:
        expected = directory(list(self.members.values()), place)
        self._file.seek(place)
        found = self._file.read(min(size - place, len(expected) + 1))
        if found != expected:
            same = next((i for i, (a, b) in enumerate(zip(found, expected, strict=False)) if a != b),
                        min(len(found), len(expected)))  # fmt: skip
            raise ArchiveError(place + same, "the directory at its end does not list what is in it")


def directory(members: list[Member], place: int) -> bytes:
    """What stands behind the members, from `place` on."""
    listed = b"".join(member.listed for member in members)
    count = len(members)
    return listed + _END.pack(_END_MARK, 0, 0, count, count, len(listed), place, 0)
