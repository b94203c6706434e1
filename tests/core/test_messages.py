"""Control messages: strict in, compact out (docs/PROTOCOL.md section 1)."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from liveserver.core import messages, reading
from liveserver.core.errors import PeerError

PHOTO = '{"type":"photo","challenge":"c","size":5,"sha256":"' + "a" * 64 + '",'
CORPUS = Path(__file__).parents[2] / "../shared/data/fuzz/json"


def code_of(text: str | bytes) -> str:
    with pytest.raises(PeerError) as refused:
        reading.parse(text)
    return refused.value.code


class TestWhatIsAccepted:
    def test_each_message_of_the_protocol(self):
        read = reading.parse
        assert read('{"type":"join","token":"t"}') == messages.Join("t")
        assert read('{"type":"heartbeat","seq":7}') == messages.Heartbeat(7)
        assert read('{"type":"visibility","state":"hidden"}') == messages.Visibility("hidden")
        assert read('{"type":"chat","text":" 你好 ","ref":"r"}') == messages.Chat("你好", "r")
        assert read('{"type":"pause","on":true}') == messages.Pause(True)
        assert read('{"type":"sources","screen":true,"mids":{"screen":"2"}}') == messages.Sources(
            screen=True, mids={"screen": "2"}
        )

    def test_unknown_fields_are_for_the_future(self):
        assert reading.parse('{"type":"pause","on":false,"why":"tea"}') == messages.Pause(False)


class TestWhatIsRefused:
    @pytest.mark.parametrize(
        ("text", "code"),
        [
            ("", "bad_json"),
            ("{", "bad_json"),
            ('{"type":"chat","text":"a","text":"b"}', "bad_json"),
            ('{"type":"heartbeat","seq":NaN}', "bad_json"),
            ('{"type":"chat","text":"\\ud800"}', "bad_json"),
            ("[" * 5000 + "]" * 5000, "bad_json"),
            ('{"type":"sources","mids":["\\ud800"]}', "bad_json"),
            ("[]", "bad_message"),
            ('{"type":["chat"]}', "bad_message"),
            ('{"type":"format_disk"}', "unknown_type"),
            ("{}", "bad_message"),
            ('{"type":"chat"}', "bad_message"),
            ('{"type":"chat","text":"   "}', "bad_message"),
            ('{"type":"chat","text":"\\u0000x"}', "bad_message"),
            ('{"type":"chat","text":"a","ref":5}', "bad_message"),
            ('{"type":"visibility","state":"asleep"}', "bad_message"),
            ('{"type":"heartbeat","seq":true}', "bad_message"),
            ('{"type":"heartbeat","seq":-1}', "bad_message"),
            ('{"type":"sources","camera":1}', "bad_message"),
            ('{"type":"sources","mids":{"audio":0}}', "bad_message"),
            ('{"type":"pause"}', "bad_message"),
            ('{"type":"join","token":5}', "bad_message"),
            ('{"type":"answer"}', "bad_message"),
            ('{"type":"answer","challenge":"c"}', "bad_message"),
            ('{"type":"answer","challenge":"c","choice":[]}', "bad_message"),
            ('{"type":"answer","challenge":"c","choice":[true]}', "bad_message"),
            ('{"type":"answer","challenge":"c","choice":[1,2,3,4,5,6,7,8,9]}', "bad_message"),
            ('{"type":"answer","challenge":"","choice":[1]}', "bad_message"),
            ('{"type":"photo","challenge":"c","size":0,"sha256":"' + "a" * 64 + '"}', "bad_message"),
            ('{"type":"photo","challenge":"c","size":1000001,"sha256":"' + "a" * 64 + '"}', "too_large"),
            ('{"type":"photo","challenge":"c","size":5,"sha256":"' + "A" * 64 + '"}', "bad_message"),
            (
                '{"type":"photo","challenge":"c","size":5,"sha256":"' + "a" * 64 + '","turned":1}',
                "bad_message",
            ),
            (PHOTO + '"turned":{"size":1000001}}', "too_large"),
        ],
    )
    def test_by_name(self, text: str, code: str):
        assert code_of(text) == code

    def test_too_long_a_line(self):
        assert code_of(json.dumps({"type": "chat", "text": "x" * 501})) == "chat_too_long"

    def test_too_large_a_message(self):
        assert code_of(json.dumps({"type": "chat", "text": "x" * 70_000})) == "too_large"

    def test_binary(self):
        assert code_of(b"\x00\x01") == "bad_message"


class TestCorpus:
    @pytest.mark.skipif(not CORPUS.is_dir(), reason="the fuzz corpora are not beside the project")
    def test_what_is_not_json_is_refused_and_nothing_crashes(self):
        files = sorted(CORPUS.iterdir())
        assert len(files) > 50
        for path in files:
            text = path.read_bytes().decode("utf-8", "surrogateescape")
            try:
                reading.loads(text)
            except PeerError as error:
                assert error.code == "bad_json"
            else:
                name = path.name.split("__")[-1]
                assert not name.startswith("n_"), f"{path.name} must be refused"


@given(st.text(max_size=400))
def test_any_text_is_read_or_refused_by_name(text: str):
    try:
        reading.parse(text)
    except PeerError as error:
        assert error.code


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=20), max_size=5))
def test_what_is_said_reads_back(message: dict[str, str]):
    assert json.loads(messages.dumps(message)) == message
