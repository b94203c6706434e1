"""Which ports a server takes: media must never keep its pages from theirs."""

from __future__ import annotations

import socket

from tests.drivers.server import Server


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_pages_and_media_may_have_one_number(tmp_path):
    """TCP of that number is the pages': ICE-TCP goes elsewhere."""
    number = str(free_port())
    server = Server(tmp_path / "server", "--port", number, LIVESERVER_RTC_PORT=number).start()
    try:
        assert server.base_url.endswith(f":{number}")
    finally:
        assert server.stop() == 0
