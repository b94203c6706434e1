"""What can happen to a lesson (`Event`), and what its rules then ask the shell to do (`Effect`).

The vocabulary between `core.room` (pure) and `liveserver.rooms.room` (the shell): each word in the module of
its feature.
"""

from __future__ import annotations

from liveserver.core.events.attendance import HoursPlanned, Receiving, Seen
from liveserver.core.events.chat import KeepLine, KeepMute, LineJudged, MuteAsked, Said
from liveserver.core.events.checks import (
    ChallengeAnswered,
    ChallengeAsked,
    CheckRevised,
    Judge,
    PhotoJudged,
    PhotoReviewed,
    PhotoTaken,
    QuestionWanted,
)
from liveserver.core.events.cut import (
    CarriedOut,
    CutMade,
    CutMeasured,
    KeepEvidence,
    NoteCut,
    NoteRestored,
    Recorded,
    Refresh,
    RestoreAsked,
    Restored,
)
from liveserver.core.events.lesson import Ended, Greeted, Joined, Keep, Left, Tick
from liveserver.core.events.media import (
    CalledOn,
    ClosePublisher,
    Hold,
    PauseAsked,
    Published,
    Record,
    ShareScreen,
    SourcesChanged,
    Unpublished,
)
from liveserver.core.events.screening import IncidentSeen, Report, SightChanged
from liveserver.core.events.telling import Append, Broadcast, Close, Send, Tell

Event = (
    Joined | Greeted | Left | Said | LineJudged | MuteAsked | IncidentSeen | SightChanged | Seen | Receiving
    | SourcesChanged | PauseAsked | CalledOn | HoursPlanned | Published | Unpublished | CutMade | Restored
    | Ended | Tick | ChallengeAsked | ChallengeAnswered | QuestionWanted | PhotoTaken | PhotoJudged
    | PhotoReviewed | CheckRevised | CutMeasured | RestoreAsked
)  # fmt: skip

Effect = (
    Append | Send | Tell | Broadcast | Close | ClosePublisher | Hold | Refresh | ShareScreen | Record | Keep
    | KeepLine | KeepMute | Report | Judge | CarriedOut | KeepEvidence | NoteCut | NoteRestored | Recorded
)  # fmt: skip
