"""What the tests ask of a browser's tab, whichever browser it is."""

from __future__ import annotations

import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from .process import until

PROBE = (Path(__file__).parent / "probe.js").read_text()
CONTRAST = 20  # levels of 256 between the darkest and the lightest spot; a held or blank picture has fewer


def by_testid(name: str) -> str:
    return f'[data-testid="{name}"]'


STAGE = by_testid("stage")


@dataclass(frozen=True, slots=True)
class Camera:
    """A canvas with a time code instead of a camera, and a 440 Hz tone instead of a microphone.

    With `beeps` the tone sounds for the first 100 ms of each second of the code alone.
    """

    width: int = 640
    height: int = 360
    fps: int = 25
    label: str = "camera"
    beeps: bool = False

    @property
    def script(self) -> str:
        return f"window.watch.beCamera({json.dumps(asdict(self))});"


class Tab:
    """One person's page; a subclass per browser brings the first methods, the rest is built on them."""

    console: list[str]

    def evaluate(self, function: str, argument: Any = None, *, timeout_s: float = 30) -> Any:
        """Call a JavaScript function of one argument in the page; its awaited result, through JSON."""
        raise NotImplementedError

    def goto(self, url: str) -> None:
        raise NotImplementedError

    def reload(self) -> None:
        raise NotImplementedError

    def press(self, key: str) -> None:
        """A key by its DOM name: "Enter", "Tab", "ArrowDown", "c"."""
        raise NotImplementedError

    def click(self, selector: str, *, timeout_s: float = 10) -> None:
        raise NotImplementedError

    def type(self, text: str) -> None:
        raise NotImplementedError

    def screenshot(self, path: Path) -> None:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError

    # -- what is on the page ------------------------------------------------------------------------------

    def fill(self, selector: str, text: str) -> None:
        self.click(selector)
        self.type(text)

    def text(self, selector: str = "body") -> str:
        found = self.evaluate("(s) => document.querySelector(s)?.innerText ?? null", selector)
        return found or ""

    def sees(self, selector: str) -> bool:
        """Whether the element is there and takes up room."""
        return bool(
            self.evaluate(
                "(s) => [...document.querySelectorAll(s)].some("
                "(e) => e.checkVisibility({visibilityProperty: true}) && e.getClientRects().length > 0)",
                selector,
            )
        )

    def wait_sees(self, selector: str, *, timeout_s: float = 10) -> None:
        self.until(lambda: self.sees(selector), f"{selector} on the page", timeout_s=timeout_s)

    def wait_text(self, selector: str, part: str, *, timeout_s: float = 10) -> str:
        return self.until(
            lambda: (found := self.text(selector)) if part in self.text(selector) else "",
            f"“{part}” in {selector}",
            timeout_s=timeout_s,
        )

    def until(self, look: Any, what: str, *, timeout_s: float = 10) -> Any:
        """`process.until` with what the page last said, for whoever reads the failure."""
        try:
            return until(look, what, timeout_s=timeout_s)
        except AssertionError as failure:
            raise AssertionError(f"{failure}; {self.state()}") from None

    def state(self) -> str:
        """One line for a failure: what the page shows and what it complained of."""
        page = self.evaluate(
            "() => ({address: location.pathname, text: document.body.innerText.slice(0, 400),"
            " troubles: watch.troubles.slice(-5),"
            " connections: watch.connections.map((c) => c.connectionState)})"
        )
        return f"page {page}, console {self.console[-6:]}"

    # -- pictures and sound -------------------------------------------------------------------------------

    def picture(self, selector: str = STAGE) -> dict[str, Any]:
        return self.evaluate("(s) => watch.picture(s)", selector)

    def wait_moving(self, selector: str = STAGE, *, timeout_s: float = 15) -> dict[str, Any]:
        """Until the element is visible, not blank, and changes from picture to picture; what was seen."""
        last: dict[str, Any] = {}

        def look() -> dict[str, Any]:
            nonlocal last
            last = self.picture(selector)
            good = (
                last["changed"] >= 2
                and last["contrast"] >= CONTRAST
                and last["visible"]
                and not last["paused"]
            )
            return last if good else {}

        try:
            return self.until(look, f"moving pictures in {selector}", timeout_s=timeout_s)
        except AssertionError as failure:
            raise AssertionError(f"{failure}; picture {last}") from None

    def wait_dark(self, selector: str = STAGE, *, timeout_s: float = 10) -> None:
        """Until nothing of the lesson is to be seen; a picture that merely stands still is not dark."""

        def dark() -> bool:
            seen = self.picture(selector)
            return not seen.get("visible") or seen["contrast"] < CONTRAST

        self.until(dark, f"{selector} dark", timeout_s=timeout_s)

    def wait_heard(self, *, timeout_s: float = 10) -> float:
        """Until sound is received and decoded (root mean square over 0.02 of full scale)."""
        return self.until(
            lambda: (level := self.evaluate("() => watch.loudness(500)")) > 0.02 and level,
            "sound",
            timeout_s=timeout_s,
        )

    def frames_decoded(self) -> int:
        entries = self.evaluate("() => watch.stats('inbound-rtp')")
        return sum(entry.get("framesDecoded", 0) for entry in entries if entry["kind"] == "video")

    def wait_frames(self, more: int, *, timeout_s: float = 10) -> None:
        """Until `more` pictures than now have been decoded."""
        before = self.frames_decoded()
        self.until(
            lambda: self.frames_decoded() >= before + more, f"{more} more pictures", timeout_s=timeout_s
        )

    def stops_decoding(self, *, quiet_s: float = 0.5, timeout_s: float = 10) -> None:
        """Until no picture was decoded for `quiet_s`."""
        seen, since = self.frames_decoded(), time.monotonic()

        def quiet() -> bool:
            nonlocal seen, since
            now = self.frames_decoded()
            if now != seen:
                seen, since = now, time.monotonic()
            return time.monotonic() - since >= quiet_s

        self.until(quiet, "no more pictures decoded", timeout_s=timeout_s)

    def glass_to_glass_ms(self, selector: str = STAGE, pictures: int = 50) -> float:
        """Median age of the pictures shown, from the time code drawn by the sender on the same clock."""
        ages = self.evaluate("([s, n]) => watch.ages(s, n)", [selector, pictures])
        assert len(ages) >= pictures // 2, f"a time code in {len(ages)} pictures only; {self.state()}"
        return statistics.median(ages)

    def shown_after_ms(self, selector_testid: str = "stage", picture: int = 2) -> int:
        """When the n-th picture was shown, in ms since the page was asked for (n = 2: they move)."""

        def times() -> list[int]:
            records = self.evaluate("() => watch.shown")
            return [r["at_ms"][picture - 1] for r in records
                    if r["testid"] == selector_testid and len(r["at_ms"]) >= picture]  # fmt: skip

        return min(self.until(times, f"picture {picture} in {selector_testid}", timeout_s=15))

    def video_codecs(self, direction: str = "inbound-rtp") -> list[str]:
        return self.evaluate("(d) => watch.codecs(d, 'video')", direction)
