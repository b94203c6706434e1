"""Credentials for the relay: signed as coturn checks them, bounded in time, and nobody's name."""

from __future__ import annotations

import base64
import hashlib
import hmac
from pathlib import Path

import pytest

from liveserver.config import load
from liveserver.config.checks import ConfigError
from liveserver.config.sections import RtcConfig
from liveserver.turn import Turn

URL = "turn:relay.example:3478?transport=udp"
SECRET = "a-secret-of-thirty-two-characters"
NOW_S = 1_795_000_000


def server(person: str = "li", lesson: str = "welding", *, until_s: int = NOW_S + 86_400, ttl_s: int = 3600):
    return Turn([URL], SECRET, ttl_s).servers(person, lesson, until_s, NOW_S)[0]


class TestACredential:
    def test_is_the_hmac_sha1_of_its_username(self) -> None:
        made = server()
        expected = hmac.new(SECRET.encode(), made.username.encode(), hashlib.sha1).digest()
        assert base64.b64decode(made.credential) == expected

    @pytest.mark.parametrize(
        ("until_s", "ttl_s", "end_s"), [(NOW_S + 600, 3600, NOW_S + 600), (NOW_S + 9000, 3600, NOW_S + 3600)]
    )
    def test_ends_with_the_token_or_after_its_time(self, until_s: int, ttl_s: int, end_s: int) -> None:
        assert server(until_s=until_s, ttl_s=ttl_s).username.partition(":")[0] == str(end_s)

    def test_has_the_same_id_for_one_person_in_one_lesson_only(self) -> None:
        def id_of(*who: str) -> str:
            return server(*who).username.partition(":")[2]

        assert id_of("li", "welding") == id_of("li", "welding")
        others = {id_of("li", "welding"), id_of("wang", "welding"), id_of("li", "x"), id_of("liw", "elding")}
        assert len(others) == 4

    def test_names_nobody(self) -> None:
        made = server("li-xiaoming", "welding")
        assert "li-xiaoming" not in made.link
        assert "welding" not in made.link

    def test_is_not_made_without_relays(self) -> None:
        assert Turn([], "", 3600).servers("li", "welding", NOW_S + 600, NOW_S) == ()


class TestTheSecret:
    def test_may_be_the_only_line_of_a_file(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text(f"{SECRET}\n")
        turn = Turn.of(RtcConfig(turn_urls=(URL,), turn_secret_file=str(file)))
        given = Turn.of(RtcConfig(turn_urls=(URL,), turn_secret=SECRET))
        asked = ("li", "welding", NOW_S + 600, NOW_S)
        assert turn.servers(*asked) == given.servers(*asked)

    @pytest.mark.parametrize("secret", ["short", "with a blank in it, of length", "x" * 257, "ü" * 20])
    def test_must_be_one_that_coturn_reads_as_it_stands(self, secret: str) -> None:
        with pytest.raises(ConfigError, match="16 to 256"):
            Turn.of(RtcConfig(turn_urls=(URL,), turn_secret=secret))


class TestTheConfiguration:
    @pytest.mark.parametrize(
        "url", ["turn:relay.example", "turns:relay.example:443?transport=tcp", "turn:[2001:db8::1]:3478"]
    )
    def test_takes_uris_of_rfc_7065(self, url: str) -> None:
        found = load(env={"LIVESERVER_RTC_TURN_URLS": url, "LIVESERVER_RTC_TURN_SECRET": SECRET})
        assert found.rtc.turn_urls == (url,)

    @pytest.mark.parametrize(
        "url", ["stun:relay.example", "https://relay.example", "turn:a>b", 'turn:a"', "turn:a?transport=sctp"]
    )
    def test_refuses_everything_else(self, url: str) -> None:
        with pytest.raises(ConfigError, match="TURN_URLS"):
            load(env={"LIVESERVER_RTC_TURN_URLS": url, "LIVESERVER_RTC_TURN_SECRET": SECRET})

    @pytest.mark.parametrize(
        "given",
        [
            {"TURN_URLS": URL},
            {"TURN_SECRET": SECRET},
            {"TURN_URLS": URL, "TURN_SECRET": SECRET, "TURN_SECRET_FILE": "/x"},
        ],
    )
    def test_wants_relays_and_one_secret_together(self, given: dict[str, str]) -> None:
        with pytest.raises(ConfigError, match="turn_secret"):
            load(env={f"LIVESERVER_RTC_{name}": value for name, value in given.items()})

    @pytest.mark.parametrize("ttl", ["59s", "25h"])
    def test_bounds_the_time(self, ttl: str) -> None:
        with pytest.raises(ConfigError, match="1m to 24h"):
            load(env={"LIVESERVER_RTC_TURN_TTL": ttl})
