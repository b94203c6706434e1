"""The object stores that the tests run against."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from botocore.config import Config

from recorder import upload
from recorder.s3 import S3Settings

from . import radosgw
from .proxy import FaultProxy
from .radosgw import ACCESS_KEY, SECRET_KEY, RadosGateway

_numbers = itertools.count()

MakeBucket = Callable[..., S3Settings]


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts are sent again sooner than in the field."""
    monkeypatch.setattr(upload, "PAUSE_S", 0.02)


@pytest.fixture(scope="package")
def gateway() -> Iterator[RadosGateway]:
    """One real S3 server, as long as tests of the recorder run: it takes half a core even when idle."""
    missing = radosgw.missing()
    if missing:
        pytest.skip(missing)
    server = RadosGateway()
    yield server
    server.stop()


@pytest.fixture(scope="package")
def s3(gateway: RadosGateway) -> Any:
    """A plain client, to look at a bucket behind the product's back."""
    return boto3.client(
        "s3",
        endpoint_url=gateway.endpoint,
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        region_name="us-east-1",
        config=Config(s3={"addressing_style": "path"}, request_checksum_calculation="when_required"),
    )


@pytest.fixture(scope="package")
def make_bucket(gateway: RadosGateway, s3: Any) -> MakeBucket:
    """A new bucket, with object lock unless told otherwise, and the settings to use it."""

    def make(*, locks: bool = True, endpoint: str = "", **settings: Any) -> S3Settings:
        name = f"bucket-{next(_numbers)}"
        s3.create_bucket(Bucket=name, ObjectLockEnabledForBucket=locks)
        known = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "part_bytes": 5 * 1024**2, "threads": 3}
        return S3Settings(name, endpoint or gateway.endpoint, **{**known, **settings})

    return make


@pytest.fixture
def proxy(gateway: RadosGateway) -> Iterator[FaultProxy]:
    made = FaultProxy(gateway.port)
    yield made
    made.close()
