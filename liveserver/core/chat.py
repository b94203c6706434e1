"""The chat of one lesson: what is shown, what waits for a person, who is muted. Pure.

    said ──allow, log, warn──▶ shown ◀──released── removed
      └──hide, mute──▶ held ──released──▶ shown │       ▲
                         └──────────────────────┴───────┘ removed by a person

A line that waits is seen by its author and the moderators alone. The same line said again while it waits is
not another one; it counts as one more held line, and too many of those within ten minutes take the chat from
their author (`Policy.mute_after`). A line that its author was warned of is held when he says it again.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from liveserver.core.errors import PeerError
from liveserver.core.events import Effect
from liveserver.core.events.chat import (
    ChatSaved,
    KeepLine,
    KeepMute,
    LineJudged,
    LineState,
    Mute,
    MuteAsked,
    Said,
)
from liveserver.core.events.lesson import Member
from liveserver.core.events.screening import Report
from liveserver.core.events.telling import Append, Broadcast, Send
from liveserver.core.ledger import commitment
from liveserver.core.messages import Json, muted_message, newest_within, notice_message
from liveserver.core.permissions import Permission, allows
from liveserver.core.screening import Action, Decision, Verdict

HISTORY = 50
HELD_MAX = 200
"""Lines that wait, as moderators are told of them; older ones wait in the list of incidents."""
HELD_BYTES, MUTED_BYTES = 49_152, 16_384
"""Of what waits and of who is muted, in `joined`: a slow page's queue has 256 KiB (`socket.queue_size`)."""
STRIKES_WITHIN_MS = 600_000
_STRIKERS_MAX = 1_000  # people whose held lines are counted
_JUDGED_MAX = 1_000
SCREENING = "screening"
"""Who acts when no person does."""


@dataclass(frozen=True, slots=True)
class Held:
    """A line that waits. `message` is what moderators are told, `ref` its author's own name for it."""

    message: Json
    ref: str | None = None


@dataclass(slots=True)
class ChatState:
    """Owned by the lesson's `RoomState`."""

    history: deque[Json] = field(default_factory=lambda: deque(maxlen=HISTORY))
    held: dict[str, Held] = field(default_factory=dict)
    mutes: dict[str, Mute] = field(default_factory=dict)
    _strikes: dict[str, list[tuple[int, str]]] = field(default_factory=dict)  # person → (at, incident)
    _judged: dict[str, LineState] = field(default_factory=dict)
    _warned: dict[tuple[str, str], int] = field(default_factory=dict)  # person, text → when

    def require_voice(self, person: str) -> None:
        """Raise PeerError chat_muted (403) when the chat was taken from `person`."""
        mute = self.mutes.get(person)
        if mute is not None:
            raise PeerError("chat_muted", mute.reason, status=403)

    def said(self, member: Member, event: Said, now_ms: int) -> list[Effect]:
        """A line of somebody who may speak."""
        self.require_voice(member.person)
        verdict = event.verdict
        action = verdict.decision.action if verdict is not None else Action.ALLOW
        if allows(member.role, Permission.MODERATE_CHAT):
            action = min(action, Action.LOG, key=lambda one: one.rank)  # nobody else would release it
        if verdict is not None and action is Action.WARN and self._insists(member, event, now_ms):
            action = Action.HIDE
        if verdict is not None and action.rank >= Action.HIDE.rank:
            return self._hold(member, event, verdict, action, now_ms)
        saved = _saved(member, event, now_ms, LineState.SHOWN)
        line = _line(saved)
        self.history.append({"type": "chat"} | line)
        effects: list[Effect] = [
            Append("chat", _fact(saved), saved),
            Broadcast({"type": "chat"} | line | _ref(event.chat.ref)),
        ]
        if verdict is not None:
            effects.append(Report(verdict, saved, action))
            if action is Action.WARN:
                effects.append(Send(member.connection, _warned(saved, verdict, event.chat.ref)))
        return effects

    def judged(self, event: LineJudged, author: Sequence[Member], now_ms: int) -> list[Effect]:
        """A person decided on a line; twice the same is once."""
        line_id = event.line["id"]
        was = self._judged.get(line_id, event.was)
        self._judged[line_id] = LineState.SHOWN if event.show else LineState.REMOVED
        if len(self._judged) > _JUDGED_MAX:
            del self._judged[next(iter(self._judged))]
        held = self.held.pop(line_id, None)
        fact: Json = {"id": line_id, "by": event.by, "incident": event.incident, "was": was}
        if event.show:
            forgiven = self._forgive(event.line["from"]["person"], event.incident, author, event.by)
            return [*self._release(event.line, was, fact, held), *forgiven]
        return self._remove(event, was, fact, author)

    def mute_asked(self, event: MuteAsked, known: Sequence[Member], now_ms: int) -> list[Effect]:
        """Take the chat from somebody, or give it back; twice the same is once."""
        if not event.on:
            return self._unmute(event.person, event.by, event.reason, known)
        name = known[0].name if known else event.name
        mute = Mute(event.person, name, event.reason, now_ms, event.by)
        return self._mute(mute, [member.connection for member in known])

    def told_to_moderators(self) -> Json:
        """What `joined` adds for them, the newest first of all if it is much."""
        muted: list[Json] = [
            {"person": m.person, "name": m.name, "reason": m.reason, "at_ms": m.at_ms}
            for m in self.mutes.values()
        ]
        return {
            "held": newest_within((held.message for held in self.held.values()), HELD_BYTES),
            "muted": newest_within(muted, MUTED_BYTES),
        }

    # --- inside ---

    def _insists(self, member: Member, event: Said, now_ms: int) -> bool:
        """Whether this person was warned of these words within the last ten minutes."""
        said = (member.person, event.chat.text)
        before_ms = self._warned.pop(said, None)
        self._warned[said] = now_ms
        if len(self._warned) > _STRIKERS_MAX:
            del self._warned[next(iter(self._warned))]
        return before_ms is not None and now_ms - before_ms < STRIKES_WITHIN_MS

    def _hold(
        self, member: Member, event: Said, verdict: Verdict, action: Action, now_ms: int
    ) -> list[Effect]:
        waiting = self._same_line(member.person, event.chat.text)
        effects: list[Effect] = []
        if waiting is None:
            saved = _saved(member, event, now_ms, LineState.HELD)
            waiting = Held(_held(saved, verdict), event.chat.ref)
            self.held[saved.line_id] = waiting
            if len(self.held) > HELD_MAX:
                del self.held[next(iter(self.held))]
            fact = _fact(saved) | {"held": verdict.incident}
            effects += [
                Append("chat", fact, saved),
                Broadcast({"type": "held"} | waiting.message, Permission.SEE_INCIDENTS),
                Report(verdict, saved, action),
            ]
        else:
            verdict = replace(verdict, incident=waiting.message["incident"])
            effects.append(Report(verdict, None, action))
        effects.append(Send(member.connection, _told_held(waiting.message, event.chat.ref)))
        return effects + self._strike(member, verdict, now_ms)

    def _same_line(self, person: str, text: str) -> Held | None:
        for held in self.held.values():
            if held.message["from"]["person"] == person and held.message["text"] == text:
                return held
        return None

    def _strike(self, member: Member, verdict: Verdict, now_ms: int) -> list[Effect]:
        """One more held line of this person; the mute that follows, if one does."""
        strikes = self._strikes.setdefault(member.person, [])
        strikes[:] = [strike for strike in strikes if strike[0] > now_ms - STRIKES_WITHIN_MS]
        strikes.append((now_ms, verdict.incident))
        if len(self._strikes) > _STRIKERS_MAX:
            del self._strikes[next(iter(self._strikes))]
        led_to = [incident for _, incident in strikes]
        if verdict.decision.action is Action.MUTE:
            led_to = led_to[-1:]
        elif not 0 < verdict.mute_after <= len(strikes):
            return []
        self._strikes.pop(member.person, None)
        reason = str(verdict.decision.category)
        mute = Mute(member.person, member.name, reason, now_ms, SCREENING, tuple(dict.fromkeys(led_to)))
        return self._mute(mute, [member.connection])

    def _mute(self, mute: Mute, connections: Sequence[str]) -> list[Effect]:
        if mute.person in self.mutes:
            return []
        self.mutes[mute.person] = mute
        fact: dict[str, Any] = {"person": mute.person, "by": mute.by, "reason": mute.reason}
        return [
            Append("mute", fact | {"incidents": list(mute.incidents)}),
            KeepMute(mute, on=True),
            *_tell_muted(mute, connections, active=True),
        ]

    def _unmute(self, person: str, by: str, reason: str, known: Sequence[Member]) -> list[Effect]:
        mute = self.mutes.pop(person, None)
        if mute is None:
            return []
        self._strikes.pop(person, None)
        return [
            Append("unmute", {"person": person, "by": by, "reason": reason}),
            KeepMute(mute, on=False),
            *_tell_muted(mute, [member.connection for member in known], active=False),
        ]

    def _forgive(self, person: str, incident: str, author: Sequence[Member], by: str) -> list[Effect]:
        """The line was found harmless: it no longer counts, and a mute it led to is lifted."""
        strikes = [strike for strike in self._strikes.pop(person, []) if strike[1] != incident]
        if strikes:
            self._strikes[person] = strikes
        mute = self.mutes.get(person)
        if mute is None or incident not in mute.incidents:
            return []
        return self._unmute(person, by, "", author)

    def _release(self, line: Json, was: LineState, fact: Json, held: Held | None) -> list[Effect]:
        if was is LineState.SHOWN:
            return []
        message = {"type": "chat"} | line
        lines = list(self.history)
        bisect.insort(lines, message, key=lambda one: one["at_ms"])
        self.history = deque(lines, maxlen=HISTORY)
        return [
            Append("chat_released", fact),
            KeepLine(line["id"], LineState.SHOWN),
            Broadcast(message | _ref(held.ref if held else None)),
        ]

    def _remove(
        self, event: LineJudged, was: LineState, fact: Json, author: Sequence[Member]
    ) -> list[Effect]:
        if was is LineState.REMOVED:
            return []
        line_id = event.line["id"]
        self.history = deque((one for one in self.history if one["id"] != line_id), maxlen=HISTORY)
        told: Json = {"type": "chat_removed", "id": line_id}
        effects: list[Effect] = [
            Append("chat_removed", fact | {"reason": event.reason}),
            KeepLine(line_id, LineState.REMOVED),
        ]
        if was is LineState.SHOWN:
            return [*effects, Broadcast(told)]
        unseen = [m.connection for m in author if not allows(m.role, Permission.SEE_INCIDENTS)]
        effects += [Send(connection, told) for connection in unseen]
        return [*effects, Broadcast(told, Permission.SEE_INCIDENTS)]


def _saved(member: Member, event: Said, now_ms: int, state: LineState) -> ChatSaved:
    return ChatSaved(
        event.line_id, member.person, member.name, member.role, event.chat.text, now_ms, event.salt, state
    )


def _line(saved: ChatSaved) -> Json:
    said_by = {"person": saved.person, "name": saved.name, "role": saved.role}
    return {"id": saved.line_id, "from": said_by, "text": saved.text, "at_ms": saved.at_ms}


def _fact(saved: ChatSaved) -> Json:
    return {
        "id": saved.line_id,
        "person": saved.person,
        "commitment": commitment(saved.salt, saved.text),
    }


def _ref(ref: str | None) -> Json:
    return {} if ref is None else {"ref": ref}


def _held(saved: ChatSaved, verdict: Verdict) -> Json:
    decision = verdict.decision
    return _line(saved) | {
        "category": decision.category,
        "score": shown_score(decision),
        "incident": verdict.incident,
        "why": list(verdict.receipt.finding.why),
    }


def _told_held(message: Json, ref: str | None) -> Json:
    own = {key: message[key] for key in ("id", "text", "at_ms", "incident")}
    return notice_message("chat_held", "shown once somebody has looked at it") | own | _ref(ref)


def _warned(saved: ChatSaved, verdict: Verdict, ref: str | None) -> Json:
    own = {"id": saved.line_id, "category": verdict.decision.category, "incident": verdict.incident}
    return notice_message("chat_warned", "mind your words") | own | _ref(ref)


def _tell_muted(mute: Mute, connections: Sequence[str], *, active: bool) -> list[Effect]:
    told = muted_message(mute.person, mute.name, active, mute.reason, mute.at_ms)
    sends: list[Effect] = [Send(connection, told) for connection in connections]
    return [*sends, Broadcast(told, Permission.SEE_INCIDENTS)]


def shown_score(decision: Decision) -> float:
    """A score as people are shown it: three digits."""
    return round(decision.score, 3)
