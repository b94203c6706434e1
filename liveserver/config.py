"""The server's configuration: typed, complete, read once at the start.

A value comes from, later ones winning: the default here, the TOML file, the environment
(`http.port` is LIVESERVER_HTTP_PORT), the command line. A key nobody knows stops the start and is named.
`liveserver.example.toml` lists every key with its default; a test keeps the two equal.
"""

from __future__ import annotations

import dataclasses
import difflib
import ipaddress
import re
import tomllib
import typing
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from liveserver.core.challenge import CheckKind

ENV_PREFIX = "LIVESERVER_"
ENV_FILE = "LIVESERVER_CONFIG"
TURN_TTL_MS = (60_000, 86_400_000)  # a credential that leaks is of no use on the next day
VERSIONS = ("web", "archive", "parts")  # what can be made of a sealed recording
MAX_TURN_URLS = 8  # each costs every client an allocation
ENV_TESTS = "LIVESERVER_TEST_"  # the project's own tests pass facts about the machine to themselves in these

# RFC 7065 3.1; nothing in it could leave a Link header's angle brackets.
_TURN_URL = re.compile(
    r"turns?:(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z.\-]{1,253})(:\d{1,5})?(\?transport=(udp|tcp))?"
)
_UNITS_MS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_UNITS_BYTES = {"B": 1, "kB": 1000, "MB": 1000**2, "GB": 1000**3, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}


class ConfigError(Exception):
    """The configuration cannot be used; the message is one sentence for the operator."""


@dataclass(frozen=True, slots=True, order=True)
class Duration:
    """A length of time, whole milliseconds; written `250ms`, `5s`, `10m`, `12h`, `30d`."""

    ms: int

    @property
    def s(self) -> float:
        return self.ms / 1000

    @property
    def ns(self) -> int:
        return self.ms * 1_000_000

    @classmethod
    def parse(cls, text: str) -> Duration:
        match = re.fullmatch(r"(\d{1,9})(ms|s|m|h|d)", text)
        if match is None:
            raise ValueError("a duration such as 250ms, 5s, 10m, 12h or 30d is expected")
        return cls(int(match[1]) * _UNITS_MS[match[2]])

    def __str__(self) -> str:
        unit = next(
            u for u in ("d", "h", "m", "s", "ms") if (self.ms % _UNITS_MS[u] == 0 and self.ms) or u == "ms"
        )
        return f"{self.ms // _UNITS_MS[unit]}{unit}"


@dataclass(frozen=True, slots=True, order=True)
class Size:
    """A number of bytes; written `512B`, `64KiB` (1024), `500kB` (1000), `8MiB`, `2GB`."""

    bytes: int

    @classmethod
    def parse(cls, text: str) -> Size:
        match = re.fullmatch(r"(\d{1,9})(B|kB|MB|GB|KiB|MiB|GiB)", text)
        if match is None:
            raise ValueError("a size such as 512B, 64KiB or 500kB is expected")
        return cls(int(match[1]) * _UNITS_BYTES[match[2]])

    def __str__(self) -> str:
        unit = next(
            u
            for u in ("GiB", "MiB", "KiB", "B")
            if (self.bytes % _UNITS_BYTES[u] == 0 and self.bytes) or u == "B"
        )
        return f"{self.bytes // _UNITS_BYTES[unit]}{unit}"


class LogLevel(StrEnum):
    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def _between(low: int, high: int) -> Any:
    return {"between": (low, high)}


_PORT = _between(0, 65535)
Versions = tuple[str, ...]
"""Names of `VERSIONS`."""
TurnUrls = tuple[str, ...]
"""URIs of RFC 7065, such as `turn:relay.example:3478?transport=udp`."""


@dataclass(frozen=True, slots=True)
class HttpConfig:
    """Pages, REST, WHIP, WHEP and WebSockets: one TCP port."""

    host: str = "127.0.0.1"
    port: int = field(default=8080, metadata=_PORT)
    base_url: str = ""
    tls_cert: str = ""
    tls_key: str = ""
    hsts: Duration = Duration(0)
    diagnostics_open: bool = False
    header_timeout: Duration = Duration(5_000)
    body_timeout: Duration = Duration(10_000)
    idle_timeout: Duration = Duration(30_000)
    max_body: Size = Size(65_536)
    max_connections: int = field(default=20_000, metadata=_between(1, 1_000_000))
    unfinished_per_address: int = field(default=50, metadata=_between(1, 1_000_000))


@dataclass(frozen=True, slots=True)
class SocketConfig:
    """Control messages over WebSocket (docs/PROTOCOL.md section 1)."""

    join_timeout: Duration = Duration(5_000)
    heartbeat: Duration = Duration(20_000)
    stall: Duration = Duration(5_000)
    queue_messages: int = field(default=256, metadata=_between(1, 65_536))
    queue_size: Size = Size(262_144)


@dataclass(frozen=True, slots=True)
class RtcConfig:
    """Media: one UDP port for everyone, the same of TCP, and TURN servers for who reaches neither."""

    host: str = "0.0.0.0"  # noqa: S104 - media comes from anywhere; strangers' packets are dropped by the front
    port: int = field(default=0, metadata=_PORT)
    advertise: tuple[str, ...] = ()
    tcp: bool = True
    turn_urls: TurnUrls = ()
    turn_secret: str = ""
    turn_secret_file: str = ""
    turn_ttl: Duration = Duration(4 * 3_600_000)


@dataclass(frozen=True, slots=True)
class ControlConfig:
    """The guard's own port for cuts; an empty host is that of `http`."""

    host: str = ""
    port: int = field(default=0, metadata=_PORT)
    base_url: str = ""
    lease: Duration = Duration(5_000)
    two_person_restore: bool = False
    restore_within: Duration = Duration(600_000)


@dataclass(frozen=True, slots=True)
class BusConfig:
    """What connects several nodes. Empty: one process alone."""

    url: str = ""


@dataclass(frozen=True, slots=True)
class RoomsConfig:
    """What one node takes on."""

    max_lessons: int = field(default=256, metadata=_between(1, 1024))
    max_viewers: int = field(default=1_000, metadata=_between(1, 100_000))
    max_joining: int = field(default=500, metadata=_between(1, 10_000))


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """The recorder process and what it keeps."""

    enabled: bool = True
    socket: str = ""
    buffer: Size = Size(8 * 1024**2)
    seal_after: Duration = Duration(15_000)
    reel: Duration = Duration(60 * 60_000)
    reel_size: Size = Size(750 * 1024**2)
    versions: Versions = ("web",)
    chapter_least: Duration = Duration(5 * 60_000)
    chapter_most: Duration = Duration(15 * 60_000)
    speech_model: str = ""


@dataclass(frozen=True, slots=True)
class ObjectsConfig:
    """Where sealed recordings are kept: on the disk, or in an S3 bucket with object lock."""

    s3_bucket: str = ""
    s3_endpoint: str = ""
    s3_region: str = "us-east-1"
    s3_prefix: str = ""
    s3_access_key: str = ""
    s3_secret_key: str = ""
    s3_secret_key_file: str = ""
    s3_public_url: str = ""
    lock: bool = True
    part: Size = Size(8 * 1024**2)
    uploads: int = field(default=4, metadata=_between(1, 16))
    timeout: Duration = Duration(20_000)
    alarm_waiting: Size = Size(20 * 1024**3)
    alarm_free: Size = Size(2 * 1024**3)


@dataclass(frozen=True, slots=True)
class RetentionConfig:
    """How long recordings are kept, in calendar months; of several that apply the longest wins."""

    months: int = field(default=12, metadata=_between(1, 600))
    preset_2023_months: int = field(default=36, metadata=_between(1, 600))
    subsidised_months: int = field(default=60, metadata=_between(1, 600))
    preset_2023: bool = False
    subsidised: bool = False
    verify: bool = True


@dataclass(frozen=True, slots=True)
class ChallengesConfig:
    """How learners are checked at random in lessons made from now on (core/challenge_rules.py)."""

    kind: CheckKind = CheckKind.QUIZ
    slot: Duration = Duration(900_000)
    answer: Duration = Duration(60_000)
    photos_kept: Duration = Duration(30 * 86_400_000)


@dataclass(frozen=True, slots=True)
class HoursConfig:
    """How often learners are told what they were credited, and how long after its end a lesson is settled."""

    tell_every: Duration = Duration(30_000)
    settle_after: Duration = Duration(120_000)


@dataclass(frozen=True, slots=True)
class ScreeningConfig:
    """What is looked at, by which policy, and how long what was found is kept."""

    policy: str = "default"
    enabled: bool = True
    workers: int = field(default=1, metadata=_between(1, 64))
    models: str = ""
    width: int = field(default=640, metadata=_between(160, 1920))
    evidence_kept: Duration = Duration(365 * 86_400_000)
    speech: str = ""


@dataclass(frozen=True, slots=True)
class TranscodeConfig:
    """Processes that make the codec some viewers lack: one per lesson, while such a viewer is there."""

    max_lessons: int = field(default=2, metadata=_between(0, 64))
    max_kbps: int = field(default=2_500, metadata=_between(150, 20_000))
    linger: Duration = Duration(5_000)


@dataclass(frozen=True, slots=True)
class TokensConfig:
    """How long what the server signs may be used."""

    lesson: Duration = Duration(12 * 3_600_000)
    admin: Duration = Duration(30 * 86_400_000)
    playback_link: Duration = Duration(600_000)
    setup_link: Duration = Duration(3_600_000)


@dataclass(frozen=True, slots=True)
class Config:
    """Everything. Parts of the server are given the section they need, not the whole."""

    data_dir: Path = Path("./data")
    store_url: str = ""
    log_level: LogLevel = LogLevel.INFO
    test_hooks: bool = False
    drain: Duration = Duration(10_000)
    http: HttpConfig = HttpConfig()
    socket: SocketConfig = SocketConfig()
    rtc: RtcConfig = RtcConfig()
    control: ControlConfig = ControlConfig()
    bus: BusConfig = BusConfig()
    rooms: RoomsConfig = RoomsConfig()
    recorder: RecorderConfig = RecorderConfig()
    objects: ObjectsConfig = ObjectsConfig()
    retention: RetentionConfig = RetentionConfig()
    challenges: ChallengesConfig = ChallengesConfig()
    hours: HoursConfig = HoursConfig()
    screening: ScreeningConfig = ScreeningConfig()
    transcode: TranscodeConfig = TranscodeConfig()
    tokens: TokensConfig = TokensConfig()

    @property
    def store(self) -> str:
        """Where the store is: the configured address, else a SQLite file in the data folder."""
        return self.store_url or f"sqlite:///{(self.data_dir / 'liveserver.db').absolute()}"

    @property
    def tls(self) -> bool:
        return bool(self.http.tls_cert)

    @property
    def control_host(self) -> str:
        return self.control.host or self.http.host

    @property
    def key_file(self) -> Path:
        """The key that signs tokens and links."""
        return self.data_dir / "keys" / "tokens.key"

    @property
    def checks_key_file(self) -> Path:
        """What seals the seeds of random checks: 32 bytes, made at the first start."""
        return self.data_dir / "keys" / "checks.key"

    @property
    def photos_key_file(self) -> Path:
        """What wraps the keys that photos are sealed under: 32 bytes, made at the first start."""
        return self.data_dir / "keys" / "photos.key"

    @property
    def photos_dir(self) -> Path:
        return self.data_dir / "photos"

    @property
    def evidence_key_file(self) -> Path:
        """The key that pictures of incidents are encrypted under."""
        return self.data_dir / "keys" / "evidence.key"

    @property
    def evidence_dir(self) -> Path:
        return self.data_dir / "evidence"

    @property
    def kills_dir(self) -> Path:
        """One file per standing cut."""
        return self.data_dir / "kills"

    @property
    def objects_dir(self) -> Path:
        """Sealed recordings; `Recording.path` is relative to it."""
        return self.data_dir / "recordings" / "objects"

    @property
    def recorder_dir(self) -> Path:
        return self.data_dir / "recordings"

    @property
    def recorder_socket(self) -> Path:
        return Path(self.recorder.socket) if self.recorder.socket else self.data_dir / "recorder.sock"


def load(
    file: Path | None = None,
    env: Mapping[str, str] | None = None,
    flags: Mapping[str, str] | None = None,
) -> Config:
    """Defaults, then `file`, then `env` (only LIVESERVER_… is looked at), then `flags` (by key, `http.port`).

    Raises `ConfigError` that names the key, or the environment variable, and what was expected.
    """
    values: dict[str, object] = {}
    names: dict[str, str] = {}
    env = env or {}
    path = file or (Path(env[ENV_FILE]) if env.get(ENV_FILE) else None)
    if path is not None:
        for key, value in _read_file(path):
            values[key], names[key] = value, f"{key} in {path}"
    variables = {env_name(key): key for key, _ in keys()}
    for variable, text in sorted(env.items()):
        if not variable.startswith(ENV_PREFIX) or variable == ENV_FILE:
            continue
        if variable not in variables:
            if variable.startswith(ENV_TESTS):
                continue
            raise ConfigError(f"unknown environment variable {variable}{_meant(variable, variables)}")
        values[variables[variable]], names[variables[variable]] = text, variable
    for key, text in (flags or {}).items():
        values[key], names[key] = text, key
    config = _build(values, names)
    _check(config, names)
    return config


def keys() -> Iterator[tuple[str, dataclasses.Field[Any]]]:
    """Every key by its full name, in the order of the sample file."""
    for top in dataclasses.fields(Config):
        if dataclasses.is_dataclass(top.default) and not isinstance(top.default, Duration | Size):
            for inner in dataclasses.fields(top.default):
                yield f"{top.name}.{inner.name}", inner
        else:
            yield top.name, top


def env_name(key: str) -> str:
    """`rtc.port` → `LIVESERVER_RTC_PORT`."""
    return ENV_PREFIX + key.replace(".", "_").upper()


def to_env(config: Config) -> dict[str, str]:
    """The whole configuration as environment variables: how the supervisor hands it to its children."""
    return {env_name(key): _text(value) for key, value in flatten(config).items()}


def flatten(config: Config) -> dict[str, Any]:
    """Each key's value by its full name."""
    values: dict[str, Any] = {}
    for key, _ in keys():
        owner: Any = config
        for part in key.split("."):
            owner = getattr(owner, part)
        values[key] = owner
    return values


def _text(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if isinstance(value, tuple) else str(value)


def _read_file(path: Path) -> Iterator[tuple[str, object]]:
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"cannot read the configuration file {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} is not valid TOML: {error}") from error
    known = dict(keys())
    sections = {key.split(".")[0] for key in known if "." in key}
    for name, value in document.items():
        rows = value.items() if name in sections and isinstance(value, dict) else [("", value)]
        for inner, item in rows:
            key = f"{name}.{inner}" if inner else name
            if key not in known:
                raise ConfigError(f"unknown configuration key {key} in {path}{_meant(key, known)}")
            yield key, item


def _meant(name: str, known: typing.Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _build(values: Mapping[str, object], names: Mapping[str, str]) -> Config:
    parts: dict[str, dict[str, object]] = {}
    for key, definition in keys():
        if key not in values:
            continue
        try:
            value = _convert(definition, values[key])
        except ValueError as error:
            raise ConfigError(f"{names[key]}: {error}") from error
        section, _, inner = key.rpartition(".")
        parts.setdefault(section, {})[inner or key] = value
    top: dict[str, Any] = dict(parts.pop("", {}))
    for section, changed in parts.items():
        top[section] = dataclasses.replace(getattr(Config(), section), **changed)
    return Config(**top)


def _convert(definition: dataclasses.Field[Any], value: object) -> object:
    """One value from TOML or text. The field's annotation, a string here, names the type."""
    converted = _CONVERTERS[str(definition.type)](value)
    limits = definition.metadata.get("between")
    if limits and isinstance(converted, int) and not limits[0] <= converted <= limits[1]:
        raise ValueError(f"a number from {limits[0]} to {limits[1]} is expected")
    return converted


def _string(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a text in quotes is expected")
    return value


def _boolean(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ValueError("true or false is expected")


def _integer(value: object) -> int:
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value):
        return int(value)
    raise ValueError("a whole number is expected")


def _texts(value: object, expected: str) -> tuple[str, ...]:
    items = [item.strip() for item in value.split(",") if item.strip()] if isinstance(value, str) else value
    if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
        raise ValueError(expected)
    return tuple(items)


def _versions(value: object) -> tuple[str, ...]:
    expected = f"a list out of {', '.join(VERSIONS)} is expected"
    items = _texts(value, expected)
    if set(items) - set(VERSIONS) or len(set(items)) < len(items):
        raise ValueError(expected)
    return items


def _addresses(value: object) -> tuple[str, ...]:
    items = _texts(value, "a list of IP addresses is expected")
    for item in items:
        try:
            ipaddress.ip_address(item)
        except ValueError:
            raise ValueError(f"{item!r} is not an IP address") from None
    return items


def _turn_urls(value: object) -> TurnUrls:
    expected = f"at most {MAX_TURN_URLS} addresses such as turn:relay.example:3478?transport=udp are expected"
    items = _texts(value, expected)
    if len(items) > MAX_TURN_URLS or not all(map(_TURN_URL.fullmatch, items)):
        raise ValueError(expected)
    return items


def _one_of(options: type[StrEnum]) -> Callable[[object], StrEnum]:
    def convert(value: object) -> StrEnum:
        try:
            return options(_string(value))
        except ValueError:
            raise ValueError(f"one of {', '.join(options)} is expected") from None

    return convert


_CONVERTERS: Mapping[str, Callable[[object], object]] = {
    "str": _string,
    "bool": _boolean,
    "int": _integer,
    "Path": lambda value: Path(_string(value)),
    "Duration": lambda value: Duration.parse(_string(value)),
    "Size": lambda value: Size.parse(_string(value)),
    "LogLevel": _one_of(LogLevel),
    "CheckKind": _one_of(CheckKind),
    "tuple[str, ...]": _addresses,
    "TurnUrls": _turn_urls,
    "Versions": _versions,
}


def _check(config: Config, names: Mapping[str, str]) -> None:
    """Rules over more than one key, or on the form of a text."""
    if bool(config.http.tls_cert) != bool(config.http.tls_key):
        raise ConfigError("http.tls_cert and http.tls_key belong together: one of them is missing")
    for key in ("http.base_url", "control.base_url"):
        address = flatten(config)[key]
        url = urlsplit(address)
        if address and (url.scheme not in ("http", "https") or not url.netloc or url.path or url.query):
            raise ConfigError(f"{names[key]}: an address such as https://class.example is expected")
    if config.store_url and urlsplit(config.store_url).scheme not in ("sqlite", "postgresql"):
        raise ConfigError(f"{names['store_url']}: sqlite:///path or postgresql://… is expected")
    if config.bus.url and urlsplit(config.bus.url).scheme not in ("redis", "rediss", "unix"):
        raise ConfigError(f"{names['bus.url']}: redis://…, rediss://… or unix://… is expected")
    _check_turn(config.rtc)
    if config.recorder.reel.ms < 10_000 or config.recorder.reel_size.bytes < 1024**2:
        raise ConfigError("recorder.reel: at least 10s and 1MiB are expected")
    least_ms, most_ms = config.recorder.chapter_least.ms, config.recorder.chapter_most.ms
    if not 1_000 <= least_ms <= most_ms // 2:
        raise ConfigError("recorder.chapter_most: at least twice recorder.chapter_least is expected")
    _check_objects(config.objects)
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,63}", config.screening.policy) is None:
        raise ConfigError(f"{names.get('screening.policy', 'screening.policy')}: a policy's name is expected")
    if config.challenges.slot.ms and not 600_000 <= config.challenges.slot.ms <= 7_200_000:
        raise ConfigError("challenges.slot: 0s, or a duration from 10m to 2h is expected")
    if not 10_000 <= config.challenges.answer.ms <= 300_000:
        raise ConfigError("challenges.answer: a duration from 10s to 5m is expected")
    if not 86_400_000 <= config.challenges.photos_kept.ms <= 1_900 * 86_400_000:
        raise ConfigError("challenges.photos_kept: a duration from 1d to 1900d is expected")
    if not 86_400_000 <= config.screening.evidence_kept.ms <= 3_660 * 86_400_000:
        raise ConfigError("screening.evidence_kept: a duration from 1d to 3660d is expected")
    for key in ("http.host", "rtc.host", "control.host"):
        host = flatten(config)[key]
        if host and re.fullmatch(r"[0-9A-Za-z.:\-]{1,253}", host) is None:
            raise ConfigError(f"{names[key]}: a host name or an IP address is expected")


def _check_turn(rtc: RtcConfig) -> None:
    if bool(rtc.turn_secret) + bool(rtc.turn_secret_file) != bool(rtc.turn_urls):
        raise ConfigError(
            "rtc.turn_urls needs either rtc.turn_secret or rtc.turn_secret_file, and they need it"
        )
    if not TURN_TTL_MS[0] <= rtc.turn_ttl.ms <= TURN_TTL_MS[1]:
        raise ConfigError("rtc.turn_ttl: a duration from 1m to 24h is expected")


def _check_objects(objects: ObjectsConfig) -> None:
    for key in ("s3_endpoint", "s3_public_url"):
        address = getattr(objects, key)
        url = urlsplit(address)
        if address and (url.scheme not in ("http", "https") or not url.netloc or url.path.strip("/")):
            raise ConfigError(f"objects.{key}: an address such as https://s3.example is expected")
    secrets = bool(objects.s3_secret_key) + bool(objects.s3_secret_key_file)
    if secrets != bool(objects.s3_access_key):
        raise ConfigError(
            "objects.s3_access_key needs either objects.s3_secret_key or objects.s3_secret_key_file, "
            "and they need it"
        )
    if (
        objects.s3_prefix
        and re.fullmatch(r"([A-Za-z0-9][A-Za-z0-9_.-]{0,127}/){1,8}", objects.s3_prefix) is None
    ):
        raise ConfigError("objects.s3_prefix: folders such as class/2026/ are expected, with the last slash")
    if not 5 * 1024**2 <= objects.part.bytes <= 1024**3:
        raise ConfigError("objects.part: a size from 5MiB to 1GiB is expected")
    if not 1_000 <= objects.timeout.ms <= 300_000:
        raise ConfigError("objects.timeout: a duration from 1s to 5m is expected")
