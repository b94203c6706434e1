"""What no single value of the configuration can show: rules over several keys, the form of texts, ranges."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from liveserver.config.sections import (
    AccountsConfig,
    ObjectsConfig,
    OidcConfig,
    RtcConfig,
    SessionsConfig,
    WitnessConfig,
)

if TYPE_CHECKING:
    from liveserver.config import Config

TURN_TTL_MS = (60_000, 86_400_000)  # a credential that leaks is of no use on the next day


class ConfigError(Exception):
    """The configuration cannot be used; the message is one sentence for the operator."""


def check(config: Config, flat: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Raise ConfigError. `flat`: the same values by key; `names`: what the operator called each key."""
    if bool(config.http.tls_cert) != bool(config.http.tls_key):
        raise ConfigError("http.tls_cert and http.tls_key belong together: one of them is missing")
    for key in ("http.base_url", "control.base_url"):
        address = flat[key]
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
    if config.recorder.captions and not os.access(config.recorder.captions, os.X_OK):
        raise ConfigError("recorder.captions: the path of a program that can be run is expected")
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
    if not 1_000 <= config.ledger.head_every.ms <= 60_000:
        raise ConfigError("ledger.head_every: a duration from 1s to 60s is expected")
    if not 600_000 <= config.ledger.audit_every.ms <= 7 * 86_400_000:
        raise ConfigError("ledger.audit_every: a duration from 10m to 7d is expected")
    _check_witness(config.witness)
    _check_log_in(config.accounts, config.sessions)
    _check_oidc(config.oidc)
    for key in ("http.host", "rtc.host", "control.host"):
        host = flat[key]
        if host and re.fullmatch(r"[0-9A-Za-z.:\-]{1,253}", host) is None:
            raise ConfigError(f"{names[key]}: a host name or an IP address is expected")


def _check_log_in(accounts: AccountsConfig, sessions: SessionsConfig) -> None:
    if not 60_000 <= sessions.access.ms <= 3_600_000:
        raise ConfigError("sessions.access: a duration from 1m to 1h is expected")
    if not sessions.access.ms <= sessions.idle.ms <= sessions.longest.ms <= 30 * 86_400_000:
        raise ConfigError("sessions.idle: between sessions.access and sessions.longest (at most 30d)")
    for key in ("window", "lock"):
        if not 1_000 <= getattr(accounts, key).ms <= 86_400_000:
            raise ConfigError(f"accounts.{key}: a duration from 1s to 24h is expected")
    if not 60_000 <= accounts.password_link.ms <= 30 * 86_400_000:
        raise ConfigError("accounts.password_link: a duration from 1m to 30d is expected")
    if accounts.passkey_rp and re.fullmatch(r"[a-z0-9][a-z0-9.\-]{0,252}", accounts.passkey_rp) is None:
        raise ConfigError("accounts.passkey_rp: a host name in small letters is expected")


def _check_oidc(oidc: OidcConfig) -> None:
    if bool(oidc.issuer) != bool(oidc.client_id):
        raise ConfigError("oidc.issuer and oidc.client_id belong together: one of them is missing")
    url = urlsplit(oidc.issuer)
    local = url.hostname in ("localhost", "127.0.0.1", "::1")
    if oidc.issuer and (
        url.scheme != ("http" if local and url.scheme == "http" else "https") or not url.netloc
    ):
        raise ConfigError("oidc.issuer: an address such as https://id.example is expected")
    if oidc.client_secret and oidc.client_secret_file:
        raise ConfigError("oidc.client_secret and oidc.client_secret_file: one of them is expected")
    if oidc.issuer and "openid" not in oidc.scope.split():
        raise ConfigError("oidc.scope: openid is expected among the scopes")


def _check_turn(rtc: RtcConfig) -> None:
    if bool(rtc.turn_secret) + bool(rtc.turn_secret_file) != bool(rtc.turn_urls):
        raise ConfigError(
            "rtc.turn_urls needs either rtc.turn_secret or rtc.turn_secret_file, and they need it"
        )
    if not TURN_TTL_MS[0] <= rtc.turn_ttl.ms <= TURN_TTL_MS[1]:
        raise ConfigError("rtc.turn_ttl: a duration from 1m to 24h is expected")


def _check_witness(witness: WitnessConfig) -> None:
    for key in ("s3_endpoint", "url", "tsa_url"):
        address = getattr(witness, key)
        url = urlsplit(address)
        if address and (url.scheme not in ("http", "https") or not url.netloc):
            raise ConfigError(f"witness.{key}: an address such as https://witness.example is expected")
    if bool(witness.url) != bool(witness.key):
        raise ConfigError("witness.url and witness.key belong together: one of them is missing")
    if witness.key and re.fullmatch(r"[0-9a-f]{64}", witness.key) is None:
        raise ConfigError("witness.key: 64 hexadecimal digits are expected, an Ed25519 public key")
    if bool(witness.tsa_url) != bool(witness.tsa_certificate):
        raise ConfigError("witness.tsa_url and witness.tsa_certificate belong together: one is missing")
    if not 86_400_000 <= witness.kept.ms <= 36_600 * 86_400_000:
        raise ConfigError("witness.kept: a duration from 1d to 36600d is expected")


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
