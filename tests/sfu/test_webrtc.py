"""aiortc under our adapter: the bounds and the ends it lacks."""

from __future__ import annotations

import pytest
from aiortc.rtcdtlstransport import State
from aiortc.rtcsctptransport import AbortChunk
from OpenSSL import SSL

from liveserver.sfu.webrtc import Certificate, DatagramPipe, Dtls, Sctp


@pytest.fixture
def dtls() -> Dtls:
    """A session that counts as connected and whose OpenSSL side can send nothing any more."""
    certificate = Certificate.generateCertificate()
    session = Dtls(DatagramPipe(lambda datagram: None), certificate)
    session._ssl = SSL.Connection(certificate._create_ssl_context(session._srtp_profiles))
    session._ssl.set_accept_state()
    session._state = State.CONNECTED
    return session


class TestAfterTheEnd:
    async def test_sending_over_a_closed_session_is_a_lost_connection(self, dtls: Dtls):
        with pytest.raises(ConnectionError):
            await dtls._send_data(b"late")

    async def test_a_timer_of_sctp_that_fires_late_says_nothing(self, dtls: Dtls):
        breaches: list[str] = []
        sctp = Sctp(dtls, 5000, breaches.append)
        sctp._remote_port = 5000
        await sctp._send_chunk(AbortChunk())
        assert breaches == []
