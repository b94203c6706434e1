"""What the tests of RTP share: hostile input from beside the repository, and libsrtp as a second opinion."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pylibsrtp
import pytest
from hypothesis import settings

from liveserver.rtp import fanout
from liveserver.rtp.srtp import Profile
from tests.rtp.stage import Stage

# A busy machine must not fail a test: no example is timed.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

FUZZ = Path(__file__).parents[3] / "shared" / "data" / "fuzz"


@pytest.fixture
def corpus() -> Callable[[str], list[bytes]]:
    """`corpus("rtp")` is every file of that folder; skips where the corpora are not beside the checkout."""

    def read(folder: str) -> list[bytes]:
        if not (FUZZ / folder).is_dir():
            pytest.skip(f"no corpus ../shared/data/fuzz/{folder} beside the checkout")
        return [path.read_bytes() for path in sorted((FUZZ / folder).iterdir()) if path.is_file()]

    return read


@pytest.fixture(params=["python", "native"])
def implementation(request) -> type[fanout.Fanout]:
    """The fan-out's class: the reference, then its native twin where it was built."""
    if request.param == "python":
        return fanout.Fanout
    return pytest.importorskip(
        "liveserver.rtp._fanout", reason="the native fan-out is not built", exc_type=ImportError
    ).Fanout


Libsrtp = Callable[[Profile, bytes, bool], pylibsrtp.Session]


@pytest.fixture
def libsrtp() -> Libsrtp:
    """`libsrtp(profile, key + salt, outbound)` is a session of another implementation of SRTP."""
    names = {
        Profile.AEAD_AES_128_GCM: pylibsrtp.Policy.SRTP_PROFILE_AEAD_AES_128_GCM,
        Profile.AES128_CM_HMAC_SHA1_80: pylibsrtp.Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
    }

    def session(profile: Profile, keys: bytes, outbound: bool) -> pylibsrtp.Session:
        policy = pylibsrtp.Policy
        kind = policy.SSRC_ANY_OUTBOUND if outbound else policy.SSRC_ANY_INBOUND
        made = policy(key=keys, ssrc_type=kind, srtp_profile=names[profile])
        made.allow_repeat_tx = True
        made.window_size = 1024
        return pylibsrtp.Session(made)

    return session


@pytest.fixture
def stage(implementation) -> Iterator[Stage]:
    made = Stage(implementation)
    yield made
    made.close()
