"""The inspector's page: a class live and recorded in one click, a sample, proofs, his own log."""

from __future__ import annotations

import asyncio
import base64
from pathlib import Path

import pytest

from tests.authority import KEYS, Authority
from tests.browser.classroom import Classroom, by_testid
from tests.browser.conftest import languages
from tests.browser.test_pages import look_at_both_sizes
from tests.drivers.firefox import Firefox
from tests.drivers.process import until
from tests.drivers.server import Server
from tests.drivers.tab import Tab
from tests.evidence.test_outside import stamped_bundle

VERDICT, RECORD, SAMPLE = by_testid("bundle-verdict"), by_testid("record-verdict"), by_testid("sample")
DRAW, PROOFS, LOG = (f'[role="tab"]:nth-of-type({number})' for number in (2, 4, 5))
CHOOSE = """([selector, name, text]) => {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    const chosen = new DataTransfer();
    chosen.items.add(new File([bytes], name));
    const input = document.querySelector(selector);
    input.files = chosen.files;
    input.dispatchEvent(new Event('change', { bubbles: true }));
}"""
NUMBERS = """async () => {
    const { verify, verifyWithNumbers } = await import('/static/lib/bundle/ed25519.js');
    const { unhex } = await import('/static/lib/bundle/bytes.js');
    // RFC 8032 section 7.1, TEST 2.
    const key = unhex('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
    const signature = unhex('92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da'
        + '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00', 64);
    const [good, bad] = [Uint8Array.of(0x72), Uint8Array.of(0x73)];
    return [await verifyWithNumbers(key, good, signature), await verifyWithNumbers(key, bad, signature),
            await verify(key, good, signature), await verify(key, bad, signature)];
}"""
STAMPS = """async (answers) => {
    const { checkStamp } = await import('/static/lib/bundle/stamp.js');
    const found = [];
    for (const text of answers) {
        const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
        const digest = new Uint8Array(32).fill(0x5a);
        found.push((await checkStamp(bytes, digest)).checked);
        bytes[bytes.length - 1] ^= 1;
        found.push(await checkStamp(bytes, digest).catch(({ code }) => code));
    }
    return found;
}"""
WORDS = {
    "en": {
        "fits": "fits: it proves the class",
        "altered": "was altered or is missing",
        "in": "stands unaltered",
        "evidence": "Evidence bundle",
        "stamped": "The signature fits the certificate",
    },
    "zh": {
        "fits": "相符",
        "altered": "被改动或缺失",
        "in": "未被改动",
        "evidence": "证据包",
        "stamped": "签名与下面的证书相符",
    },
}


def choose(tab: Tab, name: str, data: bytes) -> None:
    """A file picked in the page."""
    tab.wait_sees(by_testid("bundle-file"))
    tab.evaluate(CHOOSE, [by_testid("bundle-file"), name, base64.b64encode(data).decode()])


def with_an_entry_altered(bundle: bytes) -> bytes:
    at = bundle.index(b'"type":"start"')
    return bundle[: at + 8] + b"S" + bundle[at + 9 :]


def stamps(folder: Path) -> list[str]:
    """Of one authority for each kind of key, in base64."""
    return [base64.b64encode(Authority(folder / key, key).stamp("5a" * 32)).decode() for key in KEYS]


@pytest.mark.parametrize("lang", languages("zh"))
def test_an_inspector_at_work(
    classroom: Classroom, server: Server, firefox: Firefox, lang: str, tmp_path: Path
) -> None:
    lesson, words = classroom.lesson, WORDS[lang]
    teacher = classroom.teach(lang=lang)
    learner = classroom.learn()
    learner.wait_moving()
    inspector = classroom.open("inspect", lang=lang)
    inspector.fill('section:has([data-testid="open-lesson"]) input[type="search"]', lesson.title)
    inspector.click(by_testid("open-lesson"))
    inspector.wait_moving()
    look_at_both_sizes(inspector, f"inspect-live-{lang}")
    inspector.press("Escape")
    learner.wait_frames(50)
    classroom.end(teacher)
    path = f"/lessons/{lesson.id}"
    until(lambda: server.api("GET", f"{path}/settlements").json["items"], "the lesson settled")
    until(
        lambda: [r["state"] for r in server.api("GET", f"{path}/recordings").json["items"]] == ["sealed"],
        "the recording sealed",
        timeout_s=30,
    )

    inspector.click(DRAW)
    inspector.click(by_testid("draw-sample"))
    inspector.wait_sees(SAMPLE)
    look_at_both_sizes(inspector, f"inspect-sample-{lang}")

    bundle = server.api("GET", f"{path}/evidence", role="inspector", timeout_s=30).body
    inspector.click(PROOFS)
    choose(inspector, "altered.zip", with_an_entry_altered(bundle))
    inspector.wait_text(VERDICT, words["altered"])
    look_at_both_sizes(inspector, f"inspect-altered-{lang}")
    choose(inspector, "bundle.zip", bundle)
    inspector.wait_text(VERDICT, words["fits"])
    inspector.fill(by_testid("record-index"), "0")
    inspector.click(by_testid("prove-record"))
    inspector.wait_text(RECORD, words["in"])
    look_at_both_sizes(inspector, f"inspect-proofs-{lang}")
    assert inspector.evaluate(NUMBERS) == [True, False, True, False]
    answers = stamps(tmp_path)
    assert inspector.evaluate(STAMPS, answers) == [True, "signature"] * len(KEYS)
    authority = Authority(tmp_path / "tsa", "p384")
    choose(inspector, "stamped.zip", asyncio.run(stamped_bundle(tmp_path, authority)))
    inspector.wait_text(VERDICT, words["stamped"])
    inspector.wait_text(VERDICT, authority.fingerprint().replace(":", "").lower())
    inspector.evaluate("(s) => document.querySelector(s).scrollIntoView({ block: 'end' })", VERDICT)
    look_at_both_sizes(inspector, f"inspect-stamped-{lang}")

    inspector.click(LOG)
    inspector.wait_text("main", words["evidence"])
    look_at_both_sizes(inspector, f"inspect-log-{lang}")

    if lang == "en":  # the other engine reckons the same
        other = classroom.open("inspect", browser=firefox)
        other.click(PROOFS)
        choose(other, "bundle.zip", bundle)
        other.wait_text(VERDICT, words["fits"])
        assert other.evaluate(NUMBERS) == [True, False, True, False]
        assert other.evaluate(STAMPS, answers) == [True, "signature"] * len(KEYS)

    inspector.goto(server.link("inspect", None, server.token("inspector"), lang=lang))
    inspector.fill('section:has([data-testid="open-lesson"]) input[type="search"]', lesson.title)
    inspector.click(by_testid("open-lesson"))

    def looked() -> list[str]:
        views = server.api("GET", "/inspections/views", role="inspector").json["items"]
        return [view["what"] for view in views if view["lesson"] == lesson.id]

    until(lambda: "recording" in looked(), "the recording's page open")
    assert {"live", "evidence", "recording"} <= set(looked())
