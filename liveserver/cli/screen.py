"""`liveserver screen chat`: what screening says of texts, as the server would decide in a lesson; beside it
`screen frame` and `screen face` (`pictures.py`).

Exit codes: 0 done; 1 a model or a list cannot be used; 2 misuse.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, BinaryIO

from liveserver.cli import pictures as cli_pictures
from liveserver.core.policies import DEFAULT
from liveserver.core.screening import Action, Kind
from models.errors import ModelError

if TYPE_CHECKING:
    from models.chat.screen import ChatScreen

_LINE_BYTES = 8 << 20
"""Of a longer line the rest is passed over."""
_LINE_ENDS = {code: f"\\u{code:04x}" for code in (0x85, 0x2028, 0x2029)}


def add_commands(commands: Any) -> None:
    """Put `screen` under `commands`, argparse's subparsers."""
    parser = commands.add_parser("screen", help="try out what screening says", allow_abbrev=False)
    kinds = parser.add_subparsers(title="what is screened", metavar="KIND", required=True)
    chat = kinds.add_parser(
        "chat", help="texts, a line each on standard input", description=_chat.__doc__, allow_abbrev=False
    )
    chat.set_defaults(command=_chat)
    cli_pictures.add_commands(kinds, _print)


def _chat(given: argparse.Namespace) -> int:
    """Read a message per line from standard input (UTF-8) and print a JSON line for each: text, label, score,
    the action that the default policy takes, and why."""
    del given
    from models.chat.screen import ChatScreen  # its tables need not be read for the other commands

    try:
        screen = ChatScreen.load()
    except ModelError as error:
        print(f"liveserver: {error}", file=sys.stderr)
        return 1
    for line in _lines(sys.stdin.buffer):
        _print(judged(screen, line))
    return 0


def _print(answer: dict[str, Any]) -> None:
    """One line, in UTF-8 whatever the terminal; what other readers take for the end of a line is escaped."""
    text = json.dumps(answer, ensure_ascii=False).translate(_LINE_ENDS)
    sys.stdout.buffer.write(text.encode() + b"\n")
    sys.stdout.buffer.flush()


def judged(screen: ChatScreen, text: str) -> dict[str, Any]:
    """One text's result, as the command prints it."""
    found = screen.screen(text)
    decided = DEFAULT.decide(Kind.CHAT, found.scores)
    score = found.scores["benign"] if decided.action is Action.ALLOW else decided.score
    return {
        "text": text,
        "label": decided.category,
        "score": round(score, 4),
        "action": decided.action,
        "why": list(found.why),
    }


def _lines(source: BinaryIO) -> Iterator[str]:
    """Lines without their ends, whatever the bytes: what is no UTF-8 becomes U+FFFD, NUL stays."""
    while line := source.readline(_LINE_BYTES):
        ended = line.endswith(b"\n")
        yield line.rstrip(b"\r\n").decode("utf-8", "replace")
        while not ended and (rest := source.readline(_LINE_BYTES)):
            ended = rest.endswith(b"\n")
