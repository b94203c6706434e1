"""The server's configuration: typed, complete, read once at the start.

A value comes from, later ones winning: the default here, the TOML file, the environment
(`http.port` is LIVESERVER_HTTP_PORT), the command line. A key nobody knows stops the start and is named.
`liveserver.example.toml` lists every key with its default; a test keeps the two equal.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
import tomllib
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from liveserver.config.checks import ConfigError, check
from liveserver.config.sections import (
    AccountsConfig,
    BusConfig,
    ChallengesConfig,
    ControlConfig,
    DoorConfig,
    HlsConfig,
    HoursConfig,
    HttpConfig,
    LedgerConfig,
    ObjectsConfig,
    OidcConfig,
    RecorderConfig,
    RetentionConfig,
    RoomsConfig,
    RtcConfig,
    ScreeningConfig,
    SessionsConfig,
    SocketConfig,
    TokensConfig,
    TranscodeConfig,
    WitnessConfig,
)
from liveserver.config.units import Duration, LogLevel, Size
from liveserver.config.values import convert
from liveserver.core.permissions import FORCED, Role

_TOKENS_MS = 31 * 86_400_000
ENV_PREFIX = "LIVESERVER_"
ENV_FILE = "LIVESERVER_CONFIG"
ENV_TESTS = "LIVESERVER_TEST_"  # the project's own tests pass facts about the machine to themselves in these


@dataclass(frozen=True, slots=True)
class Config:
    """Everything. Parts of the server are given the section they need, not the whole."""

    data_dir: Path = Path("./data")
    store_url: str = ""
    log_level: LogLevel = LogLevel.INFO
    test_hooks: bool = False
    drain: Duration = Duration(10_000)
    spare_node: bool = True
    http: HttpConfig = HttpConfig()
    door: DoorConfig = DoorConfig()
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
    ledger: LedgerConfig = LedgerConfig()
    witness: WitnessConfig = WitnessConfig()
    screening: ScreeningConfig = ScreeningConfig()
    hls: HlsConfig = HlsConfig()
    transcode: TranscodeConfig = TranscodeConfig()
    tokens: TokensConfig = TokensConfig()
    accounts: AccountsConfig = AccountsConfig()
    sessions: SessionsConfig = SessionsConfig()
    oidc: OidcConfig = OidcConfig()

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
    def second_factor(self) -> frozenset[Role]:
        """Roles that take a passkey. `auto`: administrators and moderators, where the configuration names a
        host that passkeys can be bound to; nothing a client says decides it."""
        given = set(self.accounts.second_factor)
        if "auto" in given:
            given.remove("auto")
            address = urlsplit(self.http.base_url)
            named = re.fullmatch(r"[0-9.]*|.*:.*", address.hostname or "") is None
            if self.accounts.passkey_rp or (address.scheme == "https" and named):
                given |= FORCED
        return frozenset(map(Role, given))

    @property
    def longest_token_ms(self) -> int:
        """No access token lives longer; of those from before this configuration, none is older than that."""
        given = (self.tokens.lesson, self.tokens.admin, self.sessions.access, self.sessions.longest)
        return max(_TOKENS_MS, *(length.ms for length in given))

    @property
    def checks_key_file(self) -> Path:
        """What seals the seeds of random checks: 32 bytes, made at the first start."""
        return self.data_dir / "keys" / "checks.key"

    @property
    def photos_key_file(self) -> Path:
        """What wraps the keys that photos are sealed under: 32 bytes, made at the first start."""
        return self.data_dir / "keys" / "photos.key"

    @property
    def keys_dir(self) -> Path:
        """`ledger.key` signs the ledger's heads; `ledger.next.key` is handed the log at the next start."""
        return self.data_dir / "keys"

    @property
    def journal_file(self) -> Path:
        """Facts wait here while the database is away."""
        return self.data_dir / "journal" / "facts"

    @property
    def witness_dir(self) -> Path:
        """What is on its way to the witnesses."""
        return self.data_dir / "witness"

    @property
    def photos_dir(self) -> Path:
        return self.data_dir / "photos"

    @property
    def identities_key_file(self) -> Path:
        """What identity numbers are sealed under, and found by when one is there twice."""
        return self.data_dir / "keys" / "identities.key"

    @property
    def evidence_key_file(self) -> Path:
        """The key that pictures of incidents are encrypted under."""
        return self.data_dir / "keys" / "evidence.key"

    @property
    def evidence_dir(self) -> Path:
        return self.data_dir / "evidence"

    @property
    def bundles_dir(self) -> Path:
        """Where evidence bundles are made, in files without names."""
        return self.data_dir / "bundles"

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
    check(config, flatten(config), names)
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
            value = convert(definition, values[key])
        except ValueError as error:
            raise ConfigError(f"{names[key]}: {error}") from error
        section, _, inner = key.rpartition(".")
        parts.setdefault(section, {})[inner or key] = value
    top: dict[str, Any] = dict(parts.pop("", {}))
    for section, changed in parts.items():
        top[section] = dataclasses.replace(getattr(Config(), section), **changed)
    return Config(**top)
