"""What a run amounted to: a JSON object, and the same as a table."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from loadtest.swarm.processes import Usage

Report = dict[str, Any]
_QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
_SUMMED = (
    *("packets", "bytes", "video_packets", "audio_packets"),
    *("lost", "audio_lost", "missing", "repaired", "reordered", "duplicates", "discarded"),
    *("nacks", "nacked", "plis", "reports", "rtcp_packets", "sender_reports"),
    *("unauthentic", "malformed", "unknown", "early"),
)


@dataclass(slots=True)
class Visit:
    """One viewer's stay; the times in seconds of CLOCK_MONOTONIC, 0 what did not come to pass."""

    began_s: float = 0.0
    answered_s: float = 0.0
    checked_s: float = 0.0
    secured_s: float = 0.0
    profile: str = ""
    postponed: int = 0  # told to come again (503)
    failure: str = ""  # why it did not join
    gone: str = ""  # why it was over before its time
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def joined(self) -> bool:
        return self.secured_s > 0


@dataclass(frozen=True, slots=True)
class Server:
    """Its processes before the first join, when all were there, and after the measurement."""

    first: Usage
    before: Usage
    after: Usage

    def report(self, packets: int, viewers: int) -> Report:
        """CPU time over the measurement, for each packet that arrived; memory since before the first join."""
        spent = {name: at - self.before.cpu_s.get(name, 0.0) for name, at in self.after.cpu_s.items()}
        grown = sum(self.after.resident.values()) - sum(self.first.resident.values())
        return {
            "server_cpu_s": round(sum(spent.values()), 3),
            "server_cpu_s_of": {name: round(cpu_s, 3) for name, cpu_s in spent.items()},
            "server_us_per_packet": round(sum(spent.values()) * 1e6 / max(1, packets), 3),
            "server_us_per_packet_of": {
                name: round(cpu_s * 1e6 / max(1, packets), 3) for name, cpu_s in spent.items()
            },
            "server_kib_per_viewer": round(grown / 1024 / max(1, viewers), 1),
        }


@dataclass(frozen=True, slots=True)
class Measured:
    """Of the time all viewers were there. `counts` are differences, one for each viewer that stayed."""

    seconds: float
    counts: Sequence[Mapping[str, int]]
    latencies: Sequence[int]
    pictures: Sequence[tuple[int, int, int, int, int]]
    native_cpu_s: float
    process_cpu_s: float
    server: Server | None = None


def quantiles(values: Iterable[float]) -> dict[str, float] | None:
    """p50, p95, p99 and the largest, by nearest rank; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    return {
        name: round(ordered[max(0, math.ceil(q * len(ordered)) - 1)], 3) for name, q in _QUANTILES.items()
    }


def bucket_ns(number: int) -> int:
    """The upper edge of a histogram's bucket, 32 to each power of two."""
    if number < 32:
        return number
    power, part = number // 32 + 4, number % 32
    return (32 + part + 1) << (power - 5)


def histogram_quantiles(buckets: Sequence[int]) -> dict[str, float] | None:
    """As `quantiles`, in microseconds, up to 3% too high: of a histogram in nanoseconds."""
    total = sum(buckets)
    if not total:
        return None
    found: dict[str, float] = {}
    for name, q in _QUANTILES.items():
        passed, wanted = 0, math.ceil(q * total)
        for number, count in enumerate(buckets):
            passed += count
            if passed >= wanted:
                found[name] = round(bucket_ns(number) / 1000, 1)
                break
    return found


def picture_ways(pictures: Sequence[tuple[int, int, int, int, int]]) -> list[float]:
    """Milliseconds from a picture's last packet in to the last viewer's packet out. The first and the last
    picture may have been cut in two by the measurement's edges."""
    return [(arrived - sent) / 1e6 for _, _, sent, arrived, _ in pictures[1:-1]]


def difference(after: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: value - before.get(name, 0) for name, value in after.items()}


def summarise(visits: Sequence[Visit], measured: Measured | None, wanted: int) -> Report:
    """The report of `visits`, and of the time all were there unless nobody was."""
    joined = [visit for visit in visits if visit.joined]
    report: Report = {
        "viewers": wanted,
        "joined": len(joined),
        "failed": dict(Counter(visit.failure for visit in visits if visit.failure)),
        "gone": dict(Counter(visit.gone for visit in visits if visit.gone)),
        "postponed": sum(visit.postponed for visit in visits),
        "profiles": dict(Counter(visit.profile for visit in joined)),
        "joins_per_s": _rate(joined),
        "signalling_ms": quantiles(_ms(visit.answered_s - visit.began_s) for visit in joined),
        "ice_ms": quantiles(_ms(visit.checked_s - visit.answered_s) for visit in joined),
        "dtls_ms": quantiles(_ms(visit.secured_s - visit.checked_s) for visit in joined),
        "first_packet_ms": _since(joined, "first_packet_ns"),
        "first_picture_ms": _since(joined, "first_picture_ns"),
        "total": {name: sum(visit.counts.get(name, 0) for visit in visits) for name in _SUMMED},
    }
    if measured is not None:
        report["measured"] = _steady(measured)
    return report


def _steady(measured: Measured) -> Report:
    summed = {name: sum(one[name] for one in measured.counts) for name in _SUMMED if name != "missing"}
    count, seconds = max(1, len(measured.counts)), measured.seconds
    cpu_s = max(1e-9, measured.process_cpu_s)
    server = measured.server.report(summed["packets"], count) if measured.server else {}
    return {
        "viewers": len(measured.counts),
        "seconds": round(seconds, 3),
        **summed,
        "mbit_s": round(summed["bytes"] * 8 / seconds / 1e6, 3),
        "mbit_s_per_viewer": round(summed["bytes"] * 8 / seconds / 1e6 / count, 4),
        "lost_per_viewer": quantiles(one["lost"] + one["audio_lost"] for one in measured.counts),
        "packets_per_viewer": quantiles(one["packets"] for one in measured.counts),
        "latency_us": histogram_quantiles(measured.latencies),
        "picture_ms": quantiles(picture_ways(measured.pictures)),
        "pictures": len(measured.pictures),
        "swarm_cpu_s": round(measured.process_cpu_s, 3),
        "swarm_native_cpu_s": round(measured.native_cpu_s, 3),
        "swarm_us_per_packet": round(measured.process_cpu_s * 1e6 / max(1, summed["packets"]), 3),
        "swarm_viewers_per_core": int(count * seconds / cpu_s),
        **server,
    }


def table(report: Report) -> str:
    """Aligned lines: a name, and a value or its quantiles."""
    rows = list(_rows(report, ""))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _rows(report: Mapping[str, Any], prefix: str) -> Iterable[tuple[str, str]]:
    for name, value in report.items():
        if isinstance(value, Mapping) and "p50" in value:
            yield prefix + name, "  ".join(f"{key} {number:g}" for key, number in value.items())
        elif isinstance(value, Mapping) and name in ("total", "measured"):
            yield from _rows(value, f"{name}.")
        elif isinstance(value, Mapping):
            yield prefix + name, ", ".join(f"{count} {what}" for what, count in value.items()) or "none"
        else:
            yield prefix + name, "-" if value is None else str(value)


def _ms(seconds: float) -> float:
    return seconds * 1000


def _since(joined: Sequence[Visit], name: str) -> dict[str, float] | None:
    """From the offer to what came at `name`, of those it came to."""
    return quantiles(
        visit.counts[name] / 1e6 - _ms(visit.began_s) for visit in joined if visit.counts.get(name, 0)
    )


def _rate(joined: Sequence[Visit]) -> float | None:
    if len(joined) < 2:
        return None
    span_s = max(visit.secured_s for visit in joined) - min(visit.began_s for visit in joined)
    return round(len(joined) / span_s, 1) if span_s > 0 else None
