"""The ends of a room's connections: what a WebSocket, a viewer or a publisher tells its room."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

from liveserver.clock import Clock
from liveserver.core import messages, reading
from liveserver.core.errors import PeerError
from liveserver.core.events.attendance import Receiving, Seen
from liveserver.core.events.chat import Said
from liveserver.core.events.checks import ChallengeAnswered, PhotoTaken, QuestionWanted
from liveserver.core.events.lesson import Greeted, Joined, Left, Member
from liveserver.core.events.media import CalledOn, PauseAsked, Published, SourcesChanged, Unpublished
from liveserver.core.permissions import Permission
from liveserver.core.photo import Assembly
from liveserver.core.rate import MessageRate
from liveserver.rooms.room import Room
from liveserver.sfu.publisher import Publisher
from liveserver.sfu.viewer import Viewer
from liveserver.sfu.webrtc import DataChannel
from liveserver.tokens import Claims

CLOSE_NO_TOKEN = 4401
_SALT_BYTES = 16
_SILENT_MS = 1000  # media that ended so long before its connection is said to


class Connection:
    """One person's control channel, on either carrier. `id` names the connection in facts and messages."""

    __slots__ = ("_claims", "_clock", "_photo", "_room", "id")

    def __init__(self, room: Room, claims: Claims, clock: Clock):
        self.id = secrets.token_urlsafe(9)
        self._room = room
        self._claims = claims
        self._clock = clock
        self._photo: Assembly | None = None  # of who sends one

    @property
    def takes_pieces(self) -> bool:
        """Whether a photo was announced whose pieces are to come: they are bounded by its size."""
        return self._photo is not None and self._photo.expects

    def member(self, transport: str) -> Member:
        return Member(
            connection=self.id,
            person=self._claims.person,
            name=self._room.shown_name(self._claims.person, self._claims.name),
            role=self._claims.role,
            transport=transport,
            joined_at_ms=self._clock.wall_ms(),
        )

    async def receive(self, text: str | bytes) -> None:
        """One message from the client. Raises PeerError for the edge to answer; `ref` is kept."""
        if isinstance(text, bytes):
            await self._photo_piece(text)
            return
        message = reading.parse(text)
        room = self._room
        match message:
            case messages.Join():
                room.post(Greeted(self.id))
            case messages.Heartbeat(seq):
                room.voice.send(self.id, {"type": "heartbeat", "seq": seq, "at_ms": self._clock.wall_ms()})
            case messages.Visibility(state):
                room.post(Seen(self.id, state))
            case messages.Chat():
                await self._say(message)
            case messages.Sources():
                await room.ask(SourcesChanged(self.id, message))
            case messages.Pause(on):
                await room.ask(PauseAsked(self.id, on))
            case messages.CallOn(person, on):
                await room.ask(CalledOn(self.id, person, on))
            case messages.Answer(challenge, None):
                await room.ask(QuestionWanted(self.id, challenge))
            case messages.Answer(challenge, choice) if choice is not None:
                await room.ask(ChallengeAnswered(self.id, challenge, choice))
            case messages.PhotoHead():
                self._announced(message)

    def _announced(self, head: messages.PhotoHead) -> None:
        """Nothing of a photo is taken in that would be refused when it is whole."""
        room = self._room
        if room.photos is None:
            raise PeerError("not_available", "this server takes no photos")
        room.state.checks.may_send(room.state.require(self.id, Permission.ATTEND).person, head.challenge)
        self._photo = Assembly()
        self._photo.begin(head)

    async def _photo_piece(self, piece: bytes) -> None:
        whole = (self._photo or Assembly()).add(piece)
        if whole is None or self._room.photos is None:
            return
        head, jpeg, turned = whole
        keep = partial(self._room.photos.keep, self._room.state.lesson, self._claims.person, head.challenge)
        photo = await keep(jpeg)
        second = await keep(turned) if turned else ""
        await self._room.ask(PhotoTaken(self.id, head.challenge, photo, second))

    async def _say(self, chat: messages.Chat) -> None:
        line_id, salt = secrets.token_urlsafe(9), secrets.token_bytes(_SALT_BYTES)
        room = self._room
        try:
            room.state.require_voice(self.id)  # of who may not speak not a word is looked at
            await room.ask(Said(self.id, line_id, salt, chat, room.judge(chat.text)))
        except PeerError as error:
            error.ref = chat.ref
            raise

    def gone(self, reason: str) -> None:
        """The carrier has ended."""
        self._room.voice.forget(self.id)
        self._room.post(Left(self.id, reason))


class ViewerEnd:
    """What a WHEP peer's media connection tells the room. Fits `sfu.peer.PeerEvents`.

    `settled(connection)` is called when it has connected or ended.
    """

    def __init__(
        self,
        room: Room,
        connection: Connection,
        clock: Clock,
        spawn: Callable[..., None],
        settled: Callable[[str], None],
    ):
        self.viewer: Viewer | None = None
        self._room = room
        self._connection = connection
        self._clock = clock
        self._spawn = spawn
        self._settled = settled
        self._rate = MessageRate(clock.monotonic_ns())
        self._lacking: set[str] = set()

    def send_away(self, error: PeerError) -> None:
        """Tell the client why, then end it; one that has not connected is ended without words."""
        self._say(messages.error_message(error))
        was_reached = self._room.voice.close(self._connection.id, CLOSE_NO_TOKEN, error.code)
        if not was_reached and self.viewer is not None:
            self.viewer.close(error.code)

    def connected(self) -> None:
        self._settled(self._connection.id)
        if self.viewer is not None:
            self._room.voice.closes_by(self._connection.id, self.viewer.close)
        self._room.post(Joined(self._connection.member("webrtc")))

    def control_opened(self, channel: DataChannel) -> None:
        self._room.voice.reach(self._connection.id, channel)
        self._room.post(Greeted(self._connection.id))
        for codec in self._lacking:
            self._tell_lacking(codec)

    def control_text(self, text: str | bytes) -> None:
        is_piece = isinstance(text, bytes) and self._connection.takes_pieces
        if not is_piece and not self._rate.allows(self._clock.monotonic_ns()):
            self._say(messages.error_message(PeerError("rate_limited", "too many messages")))
            if self.viewer is not None:
                self.viewer.close("rate_limited")
            return
        self._spawn(self._receive(text))

    def unsupported(self, kind: str) -> None:
        self._lacking.add(kind)
        self._tell_lacking(kind)

    def notice(self, code: str) -> None:
        if code == "transcode_back":
            self._lacking.clear()
        self._say(messages.notice_message(code))

    def receiving(self, on: bool, ago_ns: int) -> None:
        at_ms = self._room.now_ms() - ago_ns // 1_000_000
        self._room.post(Receiving(self._connection.id, on, at_ms))

    def closed(self, reason: str) -> None:
        self._settled(self._connection.id)
        self._connection.gone(reason)

    async def _receive(self, text: str | bytes) -> None:
        try:
            await self._connection.receive(text)
        except PeerError as error:
            self._say(messages.error_message(error))

    def _tell_lacking(self, codec: str) -> None:
        self._say(messages.notice_message("codec_unsupported", f"this browser cannot show {codec.upper()}"))

    def _say(self, message: messages.Json) -> None:
        self._room.voice.send(self._connection.id, message)


class PublisherEnd:
    """What a WHIP peer tells the room. The instructor's control channel is the page's WebSocket."""

    def __init__(self, room: Room, claims: Claims, clock: Clock):
        self.id = secrets.token_urlsafe(9)
        self.publisher: Publisher | None = None
        self._room = room
        self._claims = claims
        self._clock = clock

    def send_away(self, error: PeerError) -> None:
        """End it; an encoder hears nothing but that."""
        if self.publisher is not None:
            self.publisher.close(error.code)

    def connected(self) -> None:
        assert self.publisher is not None
        self._room.voice.closes_by(self.id, self.publisher.close)
        tracks = tuple(uplink.track for uplink in self.publisher.uplinks)
        person = self._claims.person
        name = self._room.shown_name(person, self._claims.name)
        self._room.post(Published(self.id, person, name, tracks))

    def control_opened(self, channel: DataChannel) -> None:
        """Publishers are not spoken to on a data channel."""

    def control_text(self, text: str | bytes) -> None:
        """Publishers are not listened to on a data channel."""

    def unsupported(self, kind: str) -> None:
        """Never told of a publisher."""

    def notice(self, code: str) -> None:
        """Never told of a publisher."""

    def receiving(self, on: bool, ago_ns: int) -> None:
        self._room.post(Receiving(self.id, on, self._room.now_ms() - ago_ns // 1_000_000))

    def closed(self, reason: str) -> None:
        self._room.voice.forget(self.id)
        if self.publisher is None:
            self._room.post(Unpublished(self.id, reason))
            return
        silent_ms = self.publisher.silent_ns(self._clock.monotonic_ns()) // 1_000_000
        heard_ms = self._room.now_ms() - silent_ms if silent_ms > _SILENT_MS else None
        self._room.post(Unpublished(self.id, reason, self.publisher.id, heard_ms))
