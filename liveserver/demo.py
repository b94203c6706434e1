"""`liveserver demo`: the server with embedded defaults and a new lesson, its links printed.

Keys and earlier lessons stay in the data folder. The lesson is made over the REST API, as anybody's program
would make it.
"""

from __future__ import annotations

import datetime
import json
import ssl
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import aiohttp

from liveserver.addresses import ANY, own_addresses
from liveserver.certificate import self_signed
from liveserver.clock import Clock
from liveserver.config import Config
from liveserver.core.permissions import Role
from liveserver.http import links
from liveserver.start import Ready, StartError, check_data_dir
from liveserver.supervisor import Supervisor, supervise
from liveserver.tokens import ALL_LESSONS, Tokens

TITLE = "示范课 Demo lesson"
TTL_S = 12 * 3600
MAX_LEARNERS = 10_000
_LOOPBACK = "127.0.0.1"
_NAMES = {
    Role.INSTRUCTOR: "王老师",
    Role.LEARNER: "李学员",
    Role.MODERATOR: "陈监看",
    Role.ADMIN: "赵管理",
    Role.INSPECTOR: "孙督导",
}
_WORDS = {
    "teach": "Teach",
    "learn": "Learn",
    "learn_h5": "Learn (H5)",
    "moderate": "Moderate",
    "admin": "Administer",
    "inspect": "Inspect",
}


@dataclass(frozen=True, slots=True)
class Options:
    as_json: bool
    learners: int
    publish: bool
    lan: bool


async def demo(config: Config, options: Options) -> None:
    """Serve until SIGTERM. Raises `StartError`."""
    config = _for_demo(config, options)

    async def ready(supervisor: Supervisor, found: Ready) -> None:
        made = await _prepare(config, options, found)
        if options.publish:
            url = f"{_local_url(found, config)}/whip/{made['lesson']}"
            token = made["tokens"][Role.INSTRUCTOR]
            command = [sys.executable, "-m", "loadtest.publisher", url, token]
            trust = {"SSL_CERT_FILE": config.http.tls_cert} if config.tls else {}
            await supervisor.add("publisher", command, trust)
        _print(json.dumps(made, ensure_ascii=False) if options.as_json else _for_people(made))

    await supervise(config, _say, ready)


def _for_demo(config: Config, options: Options) -> Config:
    """`config` with what a demo adds: loopback among the media addresses, and with --lan a certificate."""
    host = "0.0.0.0" if options.lan else config.http.host  # noqa: S104 - asked for by --lan
    http = replace(config.http, host=host)
    media = list(config.rtc.advertise) or own_addresses(config.rtc.host)
    rtc = replace(config.rtc, advertise=tuple(dict.fromkeys((*media, _LOOPBACK))))
    if options.lan and not config.tls:
        check_data_dir(config.data_dir)
        _say("Signing a certificate for this machine; browsers will ask whether to trust it")
        now = datetime.datetime.now(datetime.UTC)
        certificate, key = self_signed(config.data_dir / "tls", own_addresses(host), now)
        http = replace(http, tls_cert=str(certificate), tls_key=str(key))
    return replace(config, http=http, rtc=rtc)


async def _prepare(config: Config, options: Options, found: Ready) -> dict[str, Any]:
    """A new lesson with its tokens and links: what `--json` prints."""
    tokens, now_s = Tokens.load_or_create(config.key_file), Clock().wall_s()

    def issue(role: Role, lesson: str, person: str, name: str) -> str:
        return tokens.issue(person=person, name=name, role=role, lesson=lesson, now_s=now_s, ttl_s=TTL_S)

    admin = issue(Role.ADMIN, ALL_LESSONS, "demo-admin", _NAMES[Role.ADMIN])
    _say("Making a lesson")
    lesson = await _make_lesson(config, found, admin)
    issued = {role: issue(role, links.reach(role, lesson), f"demo-{role}", _NAMES[role]) for role in _NAMES}
    base_url = _outside(found.base_url, config)
    return {
        "base_url": base_url,
        "control_url": _outside(found.control_url, config),
        "lesson": lesson,
        "pages": links.pages(base_url, lesson, issued),
        "tokens": issued,
        "learner_tokens": [
            issue(Role.LEARNER, lesson, f"demo-learner-{number}", f"学员 {number}")
            for number in range(1, options.learners + 1)
        ],
    }


async def _make_lesson(config: Config, found: Ready, admin: str) -> str:
    """POST /api/v1/lessons; the new lesson's id."""
    trust = ssl.create_default_context(cafile=config.http.tls_cert) if config.tls else None
    if trust is not None:
        trust.check_hostname = False  # it is asked by loopback, whatever name it has
    url = f"{_local_url(found, config)}/api/v1/lessons"
    headers = {"Authorization": f"Bearer {admin}"}
    timeout = aiohttp.ClientTimeout(total=20)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, headers=headers) as session,
            session.post(url, json={"title": TITLE}, ssl=trust or True) as answer,
        ):
            body: Mapping[str, Any] = await answer.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise StartError(f"the server did not make a lesson: {error}") from error
    if answer.status != 201:
        raise StartError(f"the server did not make a lesson: {body.get('detail', answer.status)}")
    return str(body["id"])


def _local_url(found: Ready, config: Config) -> str:
    """The public port as this machine reaches it."""
    host = _LOOPBACK if config.http.host in ANY else config.http.host
    return f"{'https' if config.tls else 'http'}://{_bracketed(host)}:{found.http_port}"


def _outside(url: str, config: Config) -> str:
    """`url` with an address other machines reach, where the server listens on all of them."""
    parts = urlsplit(url)
    if parts.hostname not in ANY:
        return url
    host = _bracketed(own_addresses(config.http.host)[0])
    return urlunsplit(parts._replace(netloc=f"{host}:{parts.port}"))


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _for_people(made: Mapping[str, Any]) -> str:
    rows = [f"  {_WORDS[page]:<12} {url}" for page, url in made["pages"].items()]
    rows += [f"  {'Learner ' + str(n):<12} {made['base_url']}/learn/{made['lesson']}#token={token}"
             for n, token in enumerate(made["learner_tokens"], 1)]  # fmt: skip
    return "\n".join(
        (
            "",
            f"{TITLE} is waiting for its instructor. Open a link; each holds its own token, good for 12 h.",
            "",
            *rows,
            "",
            "Ctrl-C stops the server; lessons and recordings stay.",
        )
    )


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def _say(text: str) -> None:
    """Progress, on standard error."""
    sys.stderr.write(f"{text} …\n")
    sys.stderr.flush()
