"""What guards tell each other of cuts, so that each knows them all soon after it can be reached.

A change is told at once, whole. Once a second everybody says a digest of all it knows; who knows something
else answers with the digests by lesson, and whoever hears of another one there wants that lesson and is told
it. What was lost, or said while one was away, is made up for that way; repetition changes nothing
(`core.kill`).
"""

from __future__ import annotations

import hashlib
from asyncio import AbstractEventLoop
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

from liveserver.bus import Bus
from liveserver.core.kill import Kill

STATE_TOPIC = "kill.state"
DIGEST_TOPIC = "kill.digest"
LIST_TOPIC = "kill.list"
WANT_TOPIC = "kill.want"
TOPICS = (STATE_TOPIC, DIGEST_TOPIC, LIST_TOPIC, WANT_TOPIC)
LIST_LENGTH = 100  # lessons in one message: some 5 kB


class Neighbours:
    """`kills` are all that this node knows, by lesson; `adopt` is told what others do. On one loop."""

    def __init__(
        self, bus: Bus, node: str, kills: Callable[[], Mapping[str, Kill]], adopt: Callable[[Kill], None]
    ):
        self._bus = bus
        self._node = node
        self._kills = kills
        self._adopt = adopt
        self._known: dict[str, tuple[Kill, str]] = {}  # each lesson's digest, and of what it is

    def listen(self, loop: AbstractEventLoop) -> Callable[[], None]:
        """Hear the others from now on; returns how to stop that."""
        acts = {
            STATE_TOPIC: self._hear_state,
            DIGEST_TOPIC: self._hear_digest,
            LIST_TOPIC: self._hear_list,
            WANT_TOPIC: self._hear_want,
        }
        stops = [self._bus.subscribe(topic, self._of_others(act), loop) for topic, act in acts.items()]

        def stop() -> None:
            for one in stops:
                one()

        return stop

    def tell(self, kill: Kill) -> None:
        """This lesson has changed."""
        self._say(STATE_TOPIC, {"kill": kill.as_json()})

    def beat(self) -> None:
        """Say the digest of all, once in a while."""
        self._say(DIGEST_TOPIC, {"digest": self._whole()})

    def _hear_state(self, message: Mapping[str, Any]) -> None:
        self._adopt(Kill.from_json(message["kill"]))

    def _hear_digest(self, message: Mapping[str, Any]) -> None:
        if message["digest"] == self._whole():
            return
        digests = iter(self._digests().items())
        while part := dict(islice(digests, LIST_LENGTH)):
            self._say(LIST_TOPIC, {"kills": part})

    def _hear_list(self, message: Mapping[str, Any]) -> None:
        theirs, ours = message["kills"], self._digests()
        if not isinstance(theirs, dict) or len(theirs) > LIST_LENGTH:
            raise ValueError("no list of kills")
        wanted = [str(lesson) for lesson, digest in theirs.items() if ours.get(lesson) != digest]
        if wanted:
            self._say(WANT_TOPIC, {"lessons": wanted})

    def _hear_want(self, message: Mapping[str, Any]) -> None:
        wanted, kills = message["lessons"], self._kills()
        if not isinstance(wanted, list) or len(wanted) > LIST_LENGTH:
            raise ValueError("no list of lessons")
        for lesson in wanted:
            if lesson in kills:
                self.tell(kills[lesson])

    def _digests(self) -> dict[str, str]:
        for lesson, kill in self._kills().items():
            known = self._known.get(lesson)
            if known is None or known[0] is not kill:
                self._known[lesson] = (kill, kill.digest())
        return {lesson: digest for lesson, (_, digest) in self._known.items()}

    def _whole(self) -> str:
        """One digest over all lessons."""
        text = ",".join(f"{lesson}={digest}" for lesson, digest in sorted(self._digests().items()))
        return hashlib.sha256(text.encode()).hexdigest()

    def _say(self, topic: str, data: Mapping[str, Any]) -> None:
        self._bus.publish(topic, {"node": self._node, **data})

    def _of_others(self, act: Callable[[Mapping[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
        def heard(message: dict[str, Any]) -> None:
            if message.get("node") != self._node:
                act(message)

        return heard
