"""Both fan-outs are told the same, with the same keys: every datagram, count and answer must be equal."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from liveserver.rtp import fanout, header, srtp
from liveserver.rtp.flags import ALL, AUDIO, VIDEO, Flags
from liveserver.rtp.srtp import Profile

native = pytest.importorskip(
    "liveserver.rtp._fanout", reason="the native fan-out is not built", exc_type=ImportError
)

VIEWERS, ROOMS, NOW_NS = 3, 2, 1000
NUMBERS = st.sampled_from([0, 1, 2, 3, 5, 9, 40, 1022, 1023, 1024, 1025, 32767, 32768, 65000])
SSRCS = st.sampled_from([0, 1, 2, 3, 4, 0xFFFFFFFF])
EXTENSIONS = st.sampled_from([0, 1, 14, 15])
HELD = st.sampled_from([0, 0, 0, 0, VIDEO, AUDIO, ALL])
MIDS = st.sampled_from([b"", b"0", b"audio-1", b"0123456789abcdef", b"x" * 17, b"y" * 255])
SIZES = st.sampled_from([0, 1, 7, 8, 9, 100, 100, 100, 1100, 1100])
KINDS = st.sampled_from([VIDEO, AUDIO])
NOWS = st.sampled_from([NOW_NS, NOW_NS, NOW_NS, 3 * NOW_NS])
ANY = st.integers(0, 1 << 20)  # picks one of what there is
EARLY = st.sampled_from([0, 0, 0, 0, 1, 2, 3])  # often the first, so that calls meet
OFFSETS = st.sampled_from([0, 1, -1, 0x8000, 0xFFFF, 70000, 12345])
ADORNMENTS = st.sampled_from(
    [{}, {}, {}, {"padding": 5}, {"csrcs": (1, 2)}, {"extensions": {3: b"abc"}}, {"marker": True}]
)
BROKEN = [b"", b"\x80", bytes(40), b"\x9f" + bytes(30), b"\xa0" + bytes(11), b"\xa0" + bytes(10) + b"\xff"]


class Side:
    """One fan-out with a socket for each viewer; both sides' numbers for a thing are kept as a pair."""

    def __init__(self, implementation: type[fanout.Fanout]):
        self.sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(VIEWERS + 1)]
        for one in self.sockets:
            one.bind(("127.0.0.1", 0))
            one.setblocking(False)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.flags = Flags(ROOMS)
        for room in range(ROOMS):
            self.flags.renew(room, 2 * NOW_NS)
        self.fanout = implementation(self.sockets[VIEWERS].fileno(), self.flags)

    def address(self, viewer: int) -> tuple[str, int]:
        """The last one is refused by the system."""
        return self.sockets[viewer].getsockname() if viewer < VIEWERS else ("255.255.255.255", 9)

    def datagrams(self) -> list[list[bytes]]:
        return [self._drain(one) for one in self.sockets]

    def _drain(self, one: socket.socket) -> list[bytes]:
        found = []
        while True:
            try:
                found.append(one.recv(65535))
            except BlockingIOError:
                return found

    def close(self) -> None:
        self.fanout.close()
        for one in self.sockets:
            one.close()


class Twins(RuleBasedStateMachine):
    """Every rule tells both sides the same; what is named may be gone already."""

    def __init__(self) -> None:
        super().__init__()
        self.sides = (Side(fanout.Fanout), Side(native.Fanout))
        self.sessions: list[tuple[int, int]] = []
        self.tables: list[tuple[int, int]] = []
        self.rows: list[tuple[int, int]] = []
        self.packets: list[bytes] = []
        self.source_number = 0
        self.heard_ns = NOW_NS

    def teardown(self) -> None:
        for side in self.sides:
            side.close()

    def both(self, call: str, *arguments: Any) -> tuple[Any, Any]:
        """The two answers, or the kinds of the two errors. A list stands for what each side takes."""
        answers = []
        for which, side in enumerate(self.sides):
            given = [a[which] if isinstance(a, Pair) else a for a in arguments]
            try:
                answers.append(getattr(side.fanout, call)(*given))
            except (ValueError, KeyError) as error:
                answers.append(type(error))
        return answers[0], answers[1]

    def same(self, call: str, *arguments: Any) -> Any:
        ours, theirs = self.both(call, *arguments)
        assert ours == theirs, call
        return ours

    def made(self, kept: list[tuple[int, int]], call: str, *arguments: Any) -> None:
        ours, theirs = self.both(call, *arguments)
        if isinstance(ours, int) and isinstance(theirs, int):
            kept.append((ours, theirs))
        else:
            assert ours == theirs

    def one_of(self, kept: list[tuple[int, int]], which: int) -> Pair:
        return Pair(kept[which % len(kept)]) if kept else Pair((1 << 40, 1 << 40))

    def packet(self, ahead: int, size: int, adornment: dict[str, Any]) -> bytes:
        made = header.build(
            payload_type=96,
            sequence=(self.source_number + ahead) & 0xFFFF,
            timestamp=(self.source_number * 90) & 0xFFFFFFFF,
            ssrc=9,
            payload=bytes((size + ahead & 0xFF,)) * size,
            **adornment,
        )
        self.packets.append(made)
        del self.packets[:-40]
        return made

    @initialize(profiles=st.lists(st.sampled_from(list(Profile)), min_size=1, max_size=3), rtx=st.booleans())
    def begin(self, profiles, rtx):
        """Something to send to from the first step on."""
        self.made(self.tables, "add_table", 0, VIDEO)
        for number, profile in enumerate(profiles):
            self.add_session(profile, number)
            self.add_row(0, number, 7, 8 if rtx else 0, 1, b"0")
            self.set_live(number, True)

    @rule(profile=st.sampled_from(list(Profile)), viewer=st.integers(0, VIEWERS))
    def add_session(self, profile, viewer):
        number = len(self.sessions)
        key = bytes((number & 0xFF,)) * 16
        addresses = [side.address(viewer) for side in self.sides]
        hosts, ports = Pair([a[0] for a in addresses]), Pair([a[1] for a in addresses])
        salt = bytes(range(srtp.KEY_SIZES[profile][1]))
        self.made(self.sessions, "add_session", int(profile), key, salt, hosts, ports)

    @rule(session=EARLY, viewer=st.integers(0, VIEWERS))
    def move_session(self, session, viewer):
        addresses = [side.address(viewer) for side in self.sides]
        hosts, ports = Pair([a[0] for a in addresses]), Pair([a[1] for a in addresses])
        self.same("move_session", self.one_of(self.sessions, session), hosts, ports)

    @rule(session=ANY)
    def remove_session(self, session):
        self.same("remove_session", self.one_of(self.sessions, session))

    @rule(room=st.integers(0, ROOMS - 1), kind=KINDS)
    def add_table(self, room, kind):
        self.made(self.tables, "add_table", room, kind)

    @rule(table=ANY)
    def remove_table(self, table):
        self.same("remove_table", self.one_of(self.tables, table))

    @rule(
        table=EARLY, session=EARLY, ssrc=SSRCS, rtx=SSRCS, extension=st.sampled_from([0, 1, 14, 15]), mid=MIDS
    )
    def add_row(self, table, session, ssrc, rtx, extension, mid):
        pairs = self.one_of(self.tables, table), self.one_of(self.sessions, session)
        self.made(self.rows, "add_row", *pairs, ssrc, 102, rtx, 103, extension, mid)

    @rule(row=EARLY, live=st.sampled_from([True, True, True, False]))
    def set_live(self, row, live):
        self.same("set_live", self.one_of(self.rows, row), live)

    @rule(row=EARLY, number=OFFSETS, timestamp=OFFSETS, first=NUMBERS, bounded=st.booleans())
    def rebase(self, row, number, timestamp, first, bounded):
        begun = (self.source_number + first) & 0xFFFF if bounded else -1
        self.same("rebase", self.one_of(self.rows, row), number, timestamp, 100, 101, begun)

    @rule(row=EARLY, table=EARLY)
    def move_row(self, row, table):
        self.same("move_row", self.one_of(self.rows, row), self.one_of(self.tables, table))

    @rule(row=ANY)
    def remove_row(self, row):
        self.same("remove_row", self.one_of(self.rows, row))

    @rule(
        table=EARLY,
        now_ns=NOWS,
        numbers=st.lists(st.tuples(NUMBERS, SIZES, ADORNMENTS), max_size=20),
        step=NUMBERS,
        broken=st.sampled_from([*BROKEN, None, None]),
    )
    def send(self, table, now_ns, numbers, step, broken):
        packets = [self.packet(*described) for described in numbers]
        if broken is not None:
            packets.insert(len(packets) // 2, broken)
        self.same("send", self.one_of(self.tables, table), packets, now_ns)
        self.source_number += step

    @rule(table=EARLY, count=st.integers(1, 70), size=SIZES)
    def send_frame(self, table, count, size):
        """As most are: one packet after the other, of one size but for the last."""
        packets = [self.packet(n, size if n < count - 1 else size // 2, {}) for n in range(count)]
        self.same("send", self.one_of(self.tables, table), packets, NOW_NS)
        self.source_number += count

    @rule(
        row=EARLY,
        back=NUMBERS,
        anchor=OFFSETS,
        late=st.sampled_from([0, 0, 5, 10**7]),
        spare=st.sampled_from([1000, 3_000_000, 12_000_000, 10**9]),
    )
    def replay(self, row, back, anchor, late, spare):
        first = (self.source_number - back) & 0xFFFF
        pair = self.one_of(self.rows, row)
        self.same("replay", pair, first, anchor & 0xFFFFFFFF, NOW_NS, NOW_NS + late, spare)

    @rule(wait=st.sampled_from([0, 0, 10**6, 10**7, 10**9]))
    def pace(self, wait):
        ours, theirs = self.both("pace", NOW_NS + wait)
        assert ours[0] == theirs[0]
        names = dict(self.rows)
        assert [names[row] for row in ours[1]] == theirs[1]

    @rule(table=EARLY)
    def clear_table(self, table):
        self.same("clear_table", self.one_of(self.tables, table))

    @rule(
        session=EARLY,
        ssrc=SSRCS,
        sequences=st.lists(st.tuples(NUMBERS, OFFSETS), max_size=12),
        now_ns=st.sampled_from([NOW_NS, NOW_NS, 3 * NOW_NS, 10**8, 10**12]),
    )
    def retransmit(self, session, ssrc, sequences, now_ns):
        """Often what left with these offsets; without RTX only that may leave again."""
        asked = [(self.source_number - back + offset) & 0xFFFF for back, offset in sequences]
        self.same("retransmit", self.one_of(self.sessions, session), ssrc, asked, now_ns)

    @rule(row=EARLY, table=EARLY, name=st.sampled_from([b"", b"lesson", b"x" * 255]), part=st.integers(0, 2))
    def report(self, row, table, name, part):
        self.same("report", self.one_of(self.rows, row), 2**40 + 7, 0xFFFFFFF0, name)
        self.same("report_table", self.one_of(self.tables, table), 2**40, 90, name, part, 3)

    @rule(session=EARLY, ssrc=SSRCS, lost=st.integers(-(2**23), 2**23 - 1))
    def reported(self, session, ssrc, lost):
        self.same("reported", self.one_of(self.sessions, session), ssrc, lost & 0xFF, lost, 5, 6, 7)

    @rule(
        row=EARLY,
        session=EARLY,
        ssrc=st.sampled_from([7, 7, 7, 1]),
        back=st.sampled_from([0, 1, 4095, 4096, -1]),
        passed_s=st.sampled_from([0, 1, 3, 5, 30]),
    )
    def evidence(self, row, session, ssrc, back, passed_s):
        """A report of what was sent of late, or nearly."""
        self.heard_ns += passed_s * 10**9
        sent = self.same("counters", self.one_of(self.rows, row)).last_sequence
        highest = (sent - back) & 0xFFFFFFFF
        self.same("reported", self.one_of(self.sessions, session), ssrc, 0, 0, highest, 0, self.heard_ns)

    @rule(passed_s=st.sampled_from([0, 1, 5, 30]))
    def receptions(self, passed_s):
        self.heard_ns += passed_s * 10**9
        ours, theirs = (side.fanout.receptions(self.heard_ns) for side in self.sides)
        names = dict(self.sessions)
        assert sorted((names[session], *rest) for session, *rest in ours) == sorted(theirs)

    @rule(viewer=st.integers(0, VIEWERS), data=st.binary(max_size=50))
    def post(self, viewer, data):
        addresses = [side.address(viewer) for side in self.sides]
        self.same("post", Pair([a[0] for a in addresses]), Pair([a[1] for a in addresses]), data)

    @rule(session=ANY, size=st.integers(0, 40))
    def send_rtcp(self, session, size):
        plain = (b"\x80\xc9\x00\x01\x00\x00\x00\x07" + bytes(range(40)))[:size]
        self.same("send_rtcp", self.one_of(self.sessions, session), plain)

    @rule(
        room=st.integers(0, ROOMS - 1),
        kinds=HELD,
        cut=st.booleans(),
    )
    def darken(self, room, kinds, cut):
        for side in self.sides:
            (side.flags.darken if cut else side.flags.hold)(room, kinds)

    @invariant()
    def datagrams_are_equal(self):
        ours, theirs = (side.datagrams() for side in self.sides)
        assert ours == theirs

    @invariant()
    def counts_are_equal(self):
        assert self.sides[0].fanout.stats == self.sides[1].fanout.stats
        for row in self.rows:
            for call in ("counters", "is_live", "is_replaying"):
                self.same(call, Pair(row))


class Pair(tuple[Any, Any]):
    """What the reference is given, and what its twin is given."""

    __slots__ = ()


TestTwins = Twins.TestCase
TestTwins.settings = settings(max_examples=30, stateful_step_count=40, deadline=None)
