"""Has single files looked at: an operator's pictures, learners' photos (`liveserver.stills`).

One confined process, started when it is first needed and again after it has ended; files wait for each other.
What comes back is checked by the wire; a file that makes the process end, or hang, is refused like a bad one.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

from liveserver.confined.environment import bare_environment
from liveserver.confined.framing import WireError
from liveserver.stills.wire import MAX_FILE_BYTES, Decoder, Faces, File, Message, Ready, Refused, Seen, encode
from models import jpeg
from models.limits import PictureError

MAX_WAITING = 256  # files; whoever sends one more is told so
_READY_S = 60.0  # a busy machine loads 60 MB of models
_FILE_S = 60.0  # on the wall; the process itself bounds CPU time
_READ_BYTES = 1 << 16
_UNUSABLE = 3  # the exit code of a process that cannot use a model

What = Literal["picture", "face", "photo"]
A = TypeVar("A", Seen, Faces)


class LookerError(Exception):
    """Nobody can look now: no models, or too many files wait. One sentence."""


class Looker:
    """Use `picture` of one for "picture", `faces` of one for "face" or "photo"; `close` in the end."""

    def __init__(self, what: What, folder: Path | None = None) -> None:
        self._command = [sys.executable, "-m", "liveserver.stills", what, *([str(folder)] if folder else [])]
        self._is_photo = what == "photo"
        self._turn = asyncio.Lock()
        self._waiting = 0
        self._process: asyncio.subprocess.Process | None = None
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter
        self._decoder = Decoder()
        self.models: Mapping[str, str] = {}
        """Name → SHA-256, once the first process was started."""
        self.starts = 0

    @property
    def pid(self) -> int | None:
        """Of the process that runs now."""
        return self._process.pid if self._process else None

    async def picture(self, data: bytes) -> Seen:
        """What a file (JPEG, PNG) shows. Raises `PictureError`, `LookerError`."""
        return await self._looked(data, Seen)

    async def faces(self, data: bytes) -> Faces:
        """Who is on a photo. Raises `PictureError`, `LookerError`."""
        if self._is_photo:
            jpeg.header(data)  # most of what is no photo never reaches the process
        return await self._looked(data, Faces)

    async def close(self) -> None:
        """End the process."""
        async with self._turn:
            await self._end()

    async def _looked(self, data: bytes, expected: type[A]) -> A:
        if not 0 < len(data) <= MAX_FILE_BYTES:
            raise PictureError(f"1 to {MAX_FILE_BYTES} bytes are taken")
        if self._waiting >= MAX_WAITING:
            raise LookerError("too many pictures wait to be looked at")
        self._waiting += 1
        try:
            async with self._turn:
                answer = await self._ask(data)
        finally:
            self._waiting -= 1
        if isinstance(answer, Refused):
            raise PictureError(answer.why)
        if not isinstance(answer, expected):
            raise LookerError("the process answers something else")
        return answer

    async def _ask(self, data: bytes) -> Message:
        """One file, one answer; whatever else happens ends the process."""
        if self._process is None:
            await self._start()
        try:
            self._writer.write(encode(File(data)))
            async with asyncio.timeout(_FILE_S):
                await self._writer.drain()
                return await self._next()
        except (WireError, OSError, TimeoutError) as error:
            await self._end()
            raise PictureError("it cannot be looked at") from error
        except BaseException:  # the caller gives up: the answer would be taken for that of the next
            await self._end()
            raise

    async def _start(self) -> None:
        """Raises `LookerError`."""
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        self._reader, self._writer = await asyncio.open_connection(sock=ours)
        with theirs:
            try:
                self._process = await asyncio.create_subprocess_exec(
                    *self._command,
                    stdin=theirs.fileno(),
                    stdout=asyncio.subprocess.DEVNULL,
                    stderr=asyncio.subprocess.PIPE,
                    env=bare_environment(),
                )
            except OSError as error:
                self._writer.close()
                raise LookerError("no process can be started that looks at pictures") from error
        self._decoder = Decoder()
        self.starts += 1
        try:
            async with asyncio.timeout(_READY_S):
                ready = await self._next()
            if not isinstance(ready, Ready):
                raise WireError("it speaks out of turn")
            self.models = ready.models
        except (WireError, OSError, TimeoutError) as error:
            raise LookerError(await self._why()) from error
        except BaseException:
            await self._end()
            raise

    async def _next(self) -> Message:
        while True:
            data = await self._reader.read(_READ_BYTES)
            if not data:
                raise ConnectionError("the process has ended")
            for message in self._decoder.feed(data):
                return message

    async def _why(self) -> str:
        """What a process that did not become ready says; it is ended."""
        process = self._process
        if process is not None:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(process.wait(), 1.0)
        await self._end()
        if process is None or process.returncode != _UNUSABLE or process.stderr is None:
            return "no process can be started that looks at pictures"
        said = (await process.stderr.read(1000)).decode("utf-8", "replace").strip()
        return said or "a model cannot be used"

    async def _end(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        self._writer.close()
        with contextlib.suppress(ProcessLookupError):
            process.kill()  # it has nothing to put in order
        await process.wait()
