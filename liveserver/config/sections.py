"""The sections of the configuration; the package reads them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from liveserver.config.units import Duration, Size
from liveserver.core.challenge import CheckKind
from liveserver.core.log_in import SamePerson


def _between(low: int, high: int) -> Any:
    return {"between": (low, high)}


_PORT = _between(0, 65535)
Versions = tuple[str, ...]
"""Names of `VERSIONS`."""
TurnUrls = tuple[str, ...]
Factors = tuple[str, ...]
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
class DoorConfig:
    """A TCP port for edges alone, which ask for each learner; port 0: none, and the public port answers."""

    host: str = "127.0.0.1"
    port: int = field(default=0, metadata=_PORT)


@dataclass(frozen=True, slots=True)
class SocketConfig:
    """Control messages over WebSocket (docs/PROTOCOL.md section 1)."""

    join_timeout: Duration = Duration(5_000)
    heartbeat: Duration = Duration(45_000)
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
    max_webrtc: int = field(default=5_000, metadata=_between(0, 100_000))
    max_joining: int = field(default=500, metadata=_between(1, 10_000))


@dataclass(frozen=True, slots=True)
class RecorderConfig:
    """The recorder process and what it keeps."""

    enabled: bool = True
    socket: str = ""
    buffer: Size = Size(8 * 1024**2)
    seal_after: Duration = Duration(15_000)
    spare: str = ""
    reel: Duration = Duration(60 * 60_000)
    reel_size: Size = Size(750 * 1024**2)
    versions: Versions = ("web",)
    chapter_least: Duration = Duration(5 * 60_000)
    chapter_most: Duration = Duration(15 * 60_000)
    speech_model: str = ""
    captions: str = ""


@dataclass(frozen=True, slots=True)
class S3Config:
    """A bucket and who may use it."""

    s3_bucket: str = ""
    s3_endpoint: str = ""
    s3_region: str = "us-east-1"
    s3_prefix: str = ""
    s3_access_key: str = ""
    s3_secret_key: str = ""
    s3_secret_key_file: str = ""


@dataclass(frozen=True, slots=True)
class ObjectsConfig(S3Config):
    """Where sealed recordings are kept: on the disk, or in an S3 bucket with object lock."""

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
class LedgerConfig:
    """How often the ledger's head is signed, and how much may wait while the database is away."""

    head_every: Duration = Duration(30_000)
    journal: Size = Size(256 * 1024**2)
    audit_every: Duration = Duration(86_400_000)


@dataclass(frozen=True, slots=True)
class WitnessConfig(S3Config):
    """Who is shown the ledger's heads outside: a bucket with object lock, a server, a stamping authority."""

    kept: Duration = Duration(1_827 * 86_400_000)
    url: str = ""
    key: str = ""
    tsa_url: str = ""
    tsa_certificate: str = ""


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
class HlsConfig:
    """LL-HLS for learners without WebRTC; a lesson is packaged while somebody asks for it."""

    enabled: bool = True
    linger: Duration = Duration(30_000)


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
class AccountsConfig:
    """Signing in by password and passkey (core/sign_in.py)."""

    attempts: int = field(default=5, metadata=_between(1, 100))
    window: Duration = Duration(15 * 60_000)
    lock: Duration = Duration(15 * 60_000)
    address_burst: int = field(default=60, metadata=_between(1, 100_000))
    address_per_minute: int = field(default=20, metadata=_between(1, 100_000))
    proxies: tuple[str, ...] = ()
    password_age: Duration = Duration(0)
    password_link: Duration = Duration(72 * 3_600_000)
    second_factor: Factors = ("auto",)
    passkey_rp: str = ""


@dataclass(frozen=True, slots=True)
class OidcConfig:
    """An identity provider people may sign in by; none without an issuer."""

    issuer: str = ""
    client_id: str = ""
    client_secret: str = ""
    client_secret_file: str = ""
    scope: str = "openid profile"
    claim: str = "preferred_username"
    label: str = ""


@dataclass(frozen=True, slots=True)
class SessionsConfig:
    """How long who signed in stays so, and what happens when somebody comes to a lesson twice."""

    access: Duration = Duration(10 * 60_000)
    idle: Duration = Duration(30 * 60_000)
    longest: Duration = Duration(12 * 3_600_000)
    same_person: SamePerson = SamePerson.TAKEOVER
