"""The checker as it lies in a bundle: these very modules, and two files that start them.

`python3 BUNDLE.zip` runs `__main__.py`, `python3 verify.py BUNDLE.zip` does it from the unpacked folder. Who
trusts nobody takes the same files from another source than the bundle that is to be checked.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

MODULES = (
    "liveserver/__init__.py",
    "liveserver/core/__init__.py",
    "liveserver/core/attendance.py",
    "liveserver/core/bundle/__init__.py",
    "liveserver/core/bundle/archive.py",
    "liveserver/core/bundle/beside.py",
    "liveserver/core/bundle/check.py",
    "liveserver/core/bundle/command.py",
    "liveserver/core/bundle/cover.py",
    "liveserver/core/bundle/faces.py",
    "liveserver/core/bundle/form.py",
    "liveserver/core/bundle/hours.py",
    "liveserver/core/bundle/outside.py",
    "liveserver/core/bundle/reading.py",
    "liveserver/core/certificate.py",
    "liveserver/core/checks.py",
    "liveserver/core/completion.py",
    "liveserver/core/der.py",
    "liveserver/core/earning.py",
    "liveserver/core/ed25519.py",
    "liveserver/core/errors.py",
    "liveserver/core/facts.py",
    "liveserver/core/heads.py",
    "liveserver/core/hours.py",
    "liveserver/core/ledger.py",
    "liveserver/core/merkle.py",
    "liveserver/core/playback.py",
    "liveserver/core/presence.py",
    "liveserver/core/presets.py",
    "liveserver/core/register.py",
    "liveserver/core/share.py",
    "liveserver/core/signatures.py",
    "liveserver/core/spans.py",
    "liveserver/core/stamp.py",
    "liveserver/core/times.py",
)

_ROOT = Path(__file__).parents[3]
_START = '''"""Checks an evidence bundle. Needs Python 3.11 or newer and nothing else, no network either:

    {usage}
"""

import sys

from liveserver.core.bundle.command import main

sys.exit(main({arguments}))
'''
_README = """\
证据包 / Evidence bundle (liveserver/bundle/1)
==============================================

这个文件可以独立证明一节课,或一名学员在一节课中的学时。核验只需要 Python 3.11 以上版本,不需要联网,
也不需要相信生成它的服务器:

    python3 证据包.zip

This file proves a lesson, or one learner's part of it, by itself. To check it, Python 3.11 or newer is
enough; no network, and no trust in the server it came from:

    python3 BUNDLE.zip

Compare the ledger's id that is printed with the one you know from elsewhere (--log ID), and name the keys
of witnesses (--witness ID) and the certificates of time stamp authorities (--tsa-fingerprint SHA256) that you
trust. Whoever trusts nobody takes the checker from another source: `liveserver verify BUNDLE.zip`, the
inspector's page, or a program of his own after docs/EVIDENCE.md.

    lesson.json        the lesson, and the settlement of its hours
    entries.jsonl      every told entry of the ledger, as it was hashed
    tree.jsonl         their places: the hashes from which the signed root is reckoned
    head.json          the signed head, the ledger's keys, what witnesses answered
    hours.jsonl        hours, with what they were reckoned from
    people.jsonl       names by id          chat.jsonl        words of the chat
    incidents.jsonl    what screening found recordings.jsonl  videos, their hashes and manifests
    manifest.json      SHA-256 of every part; seal.json signs it
"""


def members() -> Iterator[tuple[str, bytes]]:
    """Name and bytes, in the order in which they stand in a bundle."""
    yield "README.txt", _README.encode()
    usage, own = "python3 verify.py BUNDLE.zip", "python3 BUNDLE.zip"
    yield "verify.py", _START.format(usage=usage, arguments="sys.argv[1:]").encode()
    yield "__main__.py", _START.format(usage=own, arguments="[*sys.argv[1:], sys.argv[0]]").encode()
    for name in MODULES:
        yield name, (_ROOT / name).read_bytes()
