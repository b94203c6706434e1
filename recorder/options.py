"""Which object store: the options that the recorder's programs share. Keys come by the environment alone."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from recorder.s3 import S3Settings, S3Store

ENV_ACCESS_KEY = "RECORDER_S3_ACCESS_KEY"
ENV_SECRET_KEY = "RECORDER_S3_SECRET_KEY"  # noqa: S105 - a name


def add_options(parser: argparse.ArgumentParser) -> None:
    """The options of `store_of`."""
    parser.add_argument("--s3-bucket", default="", help="keep objects in this bucket; without it on the disk")
    parser.add_argument("--s3-endpoint", default="", help="the server's address; AWS without it")
    parser.add_argument("--s3-region", default="us-east-1")
    parser.add_argument("--s3-prefix", default="", help="in front of every key")
    parser.add_argument("--s3-part-bytes", type=int, default=8 * 1024 * 1024)
    parser.add_argument("--s3-threads", type=int, default=4)
    parser.add_argument("--s3-timeout-s", type=float, default=20.0)
    parser.add_argument("--s3-no-lock", action="store_true", help="do without object lock")


def settings_of(given: argparse.Namespace, environment: Mapping[str, str]) -> S3Settings | None:
    """The bucket's settings, None for the disk."""
    if not given.s3_bucket:
        return None
    return S3Settings(
        bucket=given.s3_bucket,
        endpoint=given.s3_endpoint,
        region=given.s3_region,
        access_key=environment.get(ENV_ACCESS_KEY, ""),
        secret_key=environment.get(ENV_SECRET_KEY, ""),
        prefix=given.s3_prefix,
        part_bytes=given.s3_part_bytes,
        threads=given.s3_threads,
        timeout_s=given.s3_timeout_s,
        lock=not given.s3_no_lock,
    )


def store_of(given: argparse.Namespace, environment: Mapping[str, str]) -> S3Store | None:
    """The bucket, None for the disk."""
    settings = settings_of(given, environment)
    return None if settings is None else S3Store(settings)


def arguments(settings: S3Settings | None) -> list[str]:
    """`settings` as `settings_of` reads them, without the keys: those go by `environment`."""
    if settings is None:
        return []
    made = ["--s3-bucket", settings.bucket, "--s3-endpoint", settings.endpoint]
    made += ["--s3-region", settings.region, "--s3-prefix", settings.prefix]
    made += ["--s3-part-bytes", str(settings.part_bytes), "--s3-threads", str(settings.threads)]
    made += ["--s3-timeout-s", str(settings.timeout_s)]
    return made if settings.lock else [*made, "--s3-no-lock"]


def environment(settings: S3Settings | None) -> dict[str, str]:
    """The variables that go with `arguments`."""
    if settings is None or not settings.access_key:
        return {}
    return {ENV_ACCESS_KEY: settings.access_key, ENV_SECRET_KEY: settings.secret_key}
