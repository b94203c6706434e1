"""What is counted, for `/metrics` in Prometheus' text format; one registry of our own per process.

HTTP counts here as it happens. The other parts keep plain integers and are read when somebody asks:
`watch` takes a function that returns them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.gc_collector import GCCollector
from prometheus_client.process_collector import ProcessCollector
from prometheus_client.registry import Collector

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
PREFIX = "liveserver_"

# Seconds. From a cached page (under a millisecond) to a WHIP answer on a busy machine.
_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

Numbers = Callable[[], Mapping[str, float]]


class _Watched(Collector):
    """Turns a part's plain numbers into metrics: names in `_total` are counters, the others gauges."""

    def __init__(self, part: str, read: Numbers):
        self._part = part
        self._read = read

    def collect(self) -> Iterable[Metric]:
        for name, value in sorted(self._read().items()):
            full = f"{PREFIX}{self._part}_{name}"
            kind = CounterMetricFamily if name.endswith("_total") else GaugeMetricFamily
            yield kind(full, f"{name.replace('_', ' ')} of {self._part}", value=value)

    def describe(self) -> Iterable[Metric]:
        return ()  # the part may not run yet when it is registered


class Metrics:
    """The counters of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self.requests = Counter(
            PREFIX + "http_requests",
            "requests by route, method and status",
            ("route", "method", "status"),
            registry=self.registry,
        )
        self.request_seconds = Histogram(
            PREFIX + "http_request_seconds",
            "time from a request's header to its answer's end",
            ("route",),
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self.problems = Counter(
            PREFIX + "http_problems", "refusals by code", ("code",), registry=self.registry
        )
        self.connections_refused = Counter(
            PREFIX + "http_connections_refused",
            "connections closed by a limit",
            ("why",),
            registry=self.registry,
        )
        self.sockets_closed = Counter(
            PREFIX + "sockets_closed", "WebSockets closed, by code", ("code",), registry=self.registry
        )
        self.socket_messages = Counter(
            PREFIX + "socket_messages",
            "WebSocket messages, by direction",
            ("direction",),
            registry=self.registry,
        )

    def watch(self, part: str, read: Numbers) -> None:
        """Show the numbers of `part` (`rooms`, `front`, …), read each time somebody asks."""
        self.registry.register(_Watched(part, read))

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self.registry)
