"""Pictures of incidents, encrypted at rest: AES-256-GCM under a key per lesson, one file each.

    nonce (12 bytes) ‖ ciphertext ‖ tag (16 bytes)

The lesson's key comes from the installation's by HKDF-SHA256 (RFC 5869), so that no two lessons share nonces;
the incident's id is authenticated with the picture, so that a file put in another's place does not open.
Everything here blocks: call it from a thread.
"""

from __future__ import annotations

import os
import re
import secrets
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

MAX_BYTES = 1024**2
"""A larger picture is not kept; screening's own have some 60 kB."""
MAX_PER_LESSON = 1_000
_NONCE_BYTES = 12
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


class EvidenceDamagedError(Exception):
    """The file is there and does not open: altered, cut short, another's, or written under another key."""


class Evidence:
    """The folder of pictures. `key` is the installation's, 32 bytes."""

    def __init__(self, folder: Path, key: bytes):
        self._folder = folder
        self._key = key

    def put(self, lesson: str, incident: str, jpeg: bytes) -> bool:
        """Keep a picture, on disk when this returns; False for one too large, or one too many of a lesson.

        Raises OSError.
        """
        folder = self._lesson(lesson)
        if not 0 < len(jpeg) <= MAX_BYTES:
            return False
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        with os.scandir(folder) as entries:
            if sum(1 for _ in entries) >= MAX_PER_LESSON:
                return False
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = nonce + self._cipher(lesson).encrypt(nonce, jpeg, incident.encode())
        path = self._path(lesson, incident)
        draft = path.with_suffix(".part")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(sealed)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return True

    def get(self, lesson: str, incident: str) -> bytes | None:
        """The JPEG, or None if there is none. Raises EvidenceDamagedError, OSError."""
        try:
            sealed = self._path(lesson, incident).read_bytes()
        except FileNotFoundError:
            return None
        nonce, text = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
        try:
            return self._cipher(lesson).decrypt(nonce, text, incident.encode())
        except (InvalidTag, ValueError) as error:
            raise EvidenceDamagedError(incident) from error

    def drop(self, lesson: str, incident: str) -> None:
        """Delete a picture that is there. Raises OSError."""
        self._path(lesson, incident).unlink(missing_ok=True)

    def _cipher(self, lesson: str) -> AESGCM:
        derived = HKDF(SHA256(), length=32, salt=None, info=b"evidence/" + lesson.encode())
        return AESGCM(derived.derive(self._key))

    def _lesson(self, lesson: str) -> Path:
        if _ID.fullmatch(lesson) is None:
            raise ValueError("not a lesson id")
        return self._folder / lesson

    def _path(self, lesson: str, incident: str) -> Path:
        if _ID.fullmatch(incident) is None:
            raise ValueError("not an incident id")
        return self._lesson(lesson) / f"{incident}.jpg.sealed"
