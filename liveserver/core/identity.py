"""Whether somebody is who his identity number says (实名): what a proof may go through (REQ-L2, A1).

A number that is entered proves nothing. Whoever looked at the evidence notes how, and where that is a
person's word, a second person looks as well. A proof can be revoked; it is begun anew then. A new number is
unproven.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from liveserver.core.errors import PeerError


class State(StrEnum):
    UNPROVEN = "unproven"
    SECOND_LOOK = "second_look"
    """Somebody has noted the proof; another has to look."""
    PROVEN = "proven"
    REVOKED = "revoked"


class Act(StrEnum):
    NOTE = "note"
    """The evidence was looked at, and a second look is needed."""
    CONFIRM = "confirm"
    """A service that may decide alone has proved it."""
    SECOND = "second"
    REFUSE = "refuse"
    """The second look says no."""
    REVOKE = "revoke"


MOVES: Mapping[tuple[State, Act], State] = MappingProxyType(
    {
        (State.UNPROVEN, Act.NOTE): State.SECOND_LOOK,
        (State.UNPROVEN, Act.CONFIRM): State.PROVEN,
        (State.SECOND_LOOK, Act.SECOND): State.PROVEN,
        (State.SECOND_LOOK, Act.REFUSE): State.UNPROVEN,
        (State.PROVEN, Act.REVOKE): State.REVOKED,
        (State.REVOKED, Act.NOTE): State.SECOND_LOOK,
        (State.REVOKED, Act.CONFIRM): State.PROVEN,
    }
)
"""What is absent is refused."""


def move(state: State, act: Act, by: str, noted_by: str) -> State:
    """The state after `act`.

    Raises PeerError `wrong_step` (409), `same_person` (403) when the second look is the first one's.
    """
    after = MOVES.get((state, act))
    if after is None:
        raise PeerError("wrong_step", f"{act} is no step from {state}", status=409)
    if act is Act.SECOND and by == noted_by:
        raise PeerError("same_person", "another person has to look", status=403)
    return after
