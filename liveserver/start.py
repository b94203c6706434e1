"""What the supervisor and the processes it starts say to each other, and what may stop a start."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path


class StartError(Exception):
    """The node cannot start; the message is one sentence for the operator."""


class ExplainedError(StartError):
    """A child could not start and has told the operator why."""


@dataclass(frozen=True, slots=True)
class Ready:
    """What the supervisor is told: where the node is, and whether its store holds nothing yet."""

    http_port: int
    control_port: int
    rtc_port: int
    base_url: str
    control_url: str
    empty: bool

    def line(self) -> str:
        return json.dumps({name: getattr(self, name) for name in self.__slots__})

    @classmethod
    def read(cls, line: str | bytes) -> Ready:
        return cls(**json.loads(line))


def check_data_dir(folder: Path) -> None:
    """Make `folder` if it is not there; StartError unless it can be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o750)
        probe = folder / f".write-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise StartError(f"cannot write to the data folder {folder}: {reason}") from error
