"""The configured bucket, for the node and for the recorder it starts."""

from __future__ import annotations

from pathlib import Path

from liveserver.config.checks import ConfigError
from liveserver.config.sections import ObjectsConfig
from recorder.s3 import S3Settings


def bucket_of(objects: ObjectsConfig) -> S3Settings | None:
    """The bucket's settings with its secret, None for the disk. Raises ConfigError."""
    if not objects.s3_bucket:
        return None
    secret = objects.s3_secret_key
    if objects.s3_secret_key_file:
        try:
            secret = Path(objects.s3_secret_key_file).read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read objects.s3_secret_key_file: {type(error).__name__}") from error
        if not secret:
            raise ConfigError("objects.s3_secret_key_file is empty")
    return S3Settings(
        bucket=objects.s3_bucket,
        endpoint=objects.s3_endpoint.rstrip("/"),
        region=objects.s3_region,
        access_key=objects.s3_access_key,
        secret_key=secret,
        prefix=objects.s3_prefix,
        part_bytes=objects.part.bytes,
        threads=objects.uploads,
        timeout_s=objects.timeout.s,
        lock=objects.lock,
    )
