"""Figures from counts: quantiles by nearest rank, differences, the table."""

from __future__ import annotations

from loadtest.swarm.report import (
    Measured,
    Visit,
    bucket_ns,
    difference,
    histogram_quantiles,
    picture_ways,
    quantiles,
    summarise,
    table,
)


def visit(**fields) -> Visit:
    counts = {"packets": 100, "first_packet_ns": 1_250_000_000, "first_picture_ns": 1_500_000_000}
    defaults = {"began_s": 1.0, "answered_s": 1.01, "checked_s": 1.02, "secured_s": 1.05, "counts": counts}
    return Visit(**{**defaults, **fields})


class TestQuantiles:
    def test_by_nearest_rank(self):
        assert quantiles(range(1, 101)) == {"p50": 50, "p95": 95, "p99": 99, "max": 100}

    def test_one_value_is_all_of_them(self):
        assert quantiles([7]) == {"p50": 7, "p95": 7, "p99": 7, "max": 7}

    def test_nothing_has_none(self):
        assert quantiles([]) is None
        assert histogram_quantiles([0] * 1280) is None

    def test_a_histogram_gives_the_upper_edge_in_microseconds(self):
        buckets = [0] * 1280
        buckets[40] = 99
        buckets[320] = 1
        found = histogram_quantiles(buckets)
        assert found == {
            "p50": round(bucket_ns(40) / 1000, 1),
            "p95": round(bucket_ns(40) / 1000, 1),
            "p99": round(bucket_ns(40) / 1000, 1),
            "max": round(bucket_ns(320) / 1000, 1),
        }


def test_differences_are_by_name():
    assert difference({"packets": 9, "lost": 1}, {"packets": 4}) == {"packets": 5, "lost": 1}


def test_a_pictures_way_ends_with_the_last_viewer_and_the_edges_are_left_out():
    pictures = [(n, 0, 1_000_000 * n, 1_000_000 * n + 500_000, 10) for n in range(4)]
    assert picture_ways(pictures) == [0.5, 0.5]


class TestSummary:
    def test_it_counts_who_joined_and_why_others_did_not(self):
        visits = [visit(), visit(gone="closed by the server"), Visit(failure="HTTP 401: no")]
        report = summarise(visits, None, 3)
        assert (report["joined"], report["failed"]) == (2, {"HTTP 401: no": 1})
        assert report["gone"] == {"closed by the server": 1}
        assert report["total"]["packets"] == 200
        assert "measured" not in report

    def test_times_are_since_the_offer(self):
        report = summarise([visit()], None, 1)
        assert report["first_packet_ms"]["p50"] == 250
        assert report["first_picture_ms"]["p50"] == 500
        assert report["signalling_ms"]["p50"] == 10

    def test_capacity_is_by_cpu_time(self):
        one = dict.fromkeys(summarise([], None, 0)["total"], 0) | {"packets": 50, "bytes": 125_000}
        measured = Measured(2.0, [one, one], [0] * 1280, [], native_cpu_s=0.01, process_cpu_s=0.02)
        steady = summarise([visit(), visit()], measured, 2)["measured"]
        assert steady["mbit_s_per_viewer"] == 0.5
        assert steady["swarm_viewers_per_core"] == 200
        assert steady["swarm_us_per_packet"] == 200

    def test_the_table_is_aligned(self):
        lines = table(summarise([visit()], None, 1)).splitlines()
        columns = {len(line) - len(line.split(None, 1)[1]) for line in lines}
        assert len(columns) == 1
