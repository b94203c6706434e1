"""The witnesses that are configured."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from liveserver.bucket import bucket_of
from liveserver.clock import Clock
from liveserver.config import Config
from liveserver.config.sections import ObjectsConfig, S3Config, WitnessConfig
from liveserver.ledger.witness import Witness
from liveserver.ledger.witness_bucket import BucketWitness
from liveserver.ledger.witness_http import HttpWitness
from recorder.s3 import S3Settings


def witnesses_of(config: Config, clock: Clock) -> list[Witness]:
    """All of them, not yet asked anything. Raises ConfigError, OSError, ValueError."""
    section = config.witness
    found: list[Witness] = []
    settings = witness_bucket_of(section)
    if settings is not None:
        found.append(BucketWitness(settings, clock, section.kept.ms, config.witness_dir))
    if section.url:
        found.append(HttpWitness(section.url, bytes.fromhex(section.key)))
    if section.tsa_url:
        from liveserver.ledger.witness_stamp import (
            StampWitness,  # who has no authority need not load its library
        )

        found.append(StampWitness(section.tsa_url, Path(section.tsa_certificate)))
    return found


def witness_bucket_of(section: WitnessConfig) -> S3Settings | None:
    """The witness's bucket with its secret, None without one. Raises ConfigError."""
    return bucket_of(ObjectsConfig(**{one.name: getattr(section, one.name) for one in fields(S3Config)}))
