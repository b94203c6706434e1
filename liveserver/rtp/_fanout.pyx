# cython: language_level=3
"""The native twins of `fanout.Fanout` and, in `_receiver.pxi`, `receiver.Receiver`: the same calls and rules.

This file only turns arguments into integers and buffers; what happens to them is in `_fanout_send.c` (the
loop), `_fanout_core.c` and `_fanout_tables.c` (who is served), `_fanout_history.c` and `_fanout_replay.c`
(catching up), `_fanout_wire.c` and `_fanout_stream.c` (the sockets) and `_fanout_crypto.c` (OpenSSL). `send`
and `pace` run without the GIL. Nothing else may be called meanwhile: RuntimeError.

ImportError when there is no OpenSSL 3 to be found, with the reason; the reference serves then.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from cpython.mem cimport PyMem_Free, PyMem_Malloc
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

import importlib.util
import os
import socket
from ipaddress import ip_address

from liveserver.rtp.fanout import STREAM
from liveserver.rtp.flags import WORDS
from liveserver.rtp.header import extension_block
from liveserver.rtp.srtp import KEY_SIZES, Profile
from liveserver.rtp.tables import Counters, Stats


cdef extern from "<sys/socket.h>" nogil:
    ctypedef unsigned int socklen_t
    int AF_UNSPEC, AF_INET, AF_INET6


cdef extern from "<netinet/in.h>" nogil:
    struct in_addr:
        uint32_t s_addr
    struct in6_addr:
        uint8_t s6_addr[16]
    struct sockaddr_in:
        unsigned short sin_family
        uint16_t sin_port
        in_addr sin_addr
    struct sockaddr_in6:
        unsigned short sin6_family
        uint16_t sin6_port
        in6_addr sin6_addr
        uint32_t sin6_scope_id
    uint16_t htons(uint16_t)
    uint16_t ntohs(uint16_t)


cdef extern from "_fanout_core.h" nogil:
    enum:
        FANOUT_NO_MEMORY
        FANOUT_SOURCES
        FANOUT_USED_UP
        FANOUT_MAX_SOURCES
        FANOUT_DATAGRAM
        FANOUT_RTCP_TRAILER
    struct fanout_stream_address "stream":
        unsigned short family
        int64_t number
    ctypedef union fanout_address:
        sockaddr_in v4
        sockaddr_in6 v6
        fanout_stream_address stream
    ctypedef struct fanout_stats:
        uint64_t sent, dropped, held, refused
    ctypedef struct fanout:
        pass
    ctypedef struct fanout_packet:
        const uint8_t *data
        size_t size
    ctypedef struct fanout_counters:
        uint64_t packets, octets, replayed, rtx, rtx_unknown, rtx_capped
        int64_t last_sent_ns, reported_ns, lost
        uint32_t last_timestamp, highest_sequence, jitter
        uint16_t last_sequence
        uint8_t fraction_lost
    ctypedef struct fanout_reception:
        int64_t reported_ns, lost
        uint32_t highest_sequence, jitter
        uint8_t fraction_lost
    ctypedef struct fanout_track:
        uint32_t ssrc, rtx_ssrc
        uint8_t payload_type, rtx_payload_type
        const uint8_t *extension
        size_t extension_size
    ctypedef struct fanout_keys:
        uint8_t key[16]
        uint8_t salt[14]
        uint8_t auth_key[20]
    ctypedef struct fanout_cipher:
        uint8_t tag_size

    const char *fanout_crypto_load(const char *path)
    const char *fanout_crypto_version()
    bint fanout_derive(const uint8_t *key, const uint8_t *salt, size_t salt_size, uint8_t label, uint8_t *out,
                       size_t size)
    bint fanout_cipher_open(fanout_cipher *cipher, int profile, const uint8_t *key, const uint8_t *salt,
                            const uint8_t *auth_key)
    void fanout_cipher_close(fanout_cipher *cipher)
    bint fanout_protect(fanout_cipher *cipher, uint32_t ssrc, uint64_t index, uint8_t *packet,
                        size_t header_size, const uint8_t *payload, size_t size)
    size_t fanout_protect_rtcp(fanout_cipher *cipher, uint32_t ssrc, uint32_t index, uint8_t *packet,
                               size_t size)

    fanout *fanout_new(int fd, uint64_t *words, const uint64_t *secret)
    void fanout_free(fanout *)
    void fanout_close(fanout *)
    const fanout_stats *fanout_counts(const fanout *)
    bint fanout_segments(const fanout *)
    int64_t fanout_add_session(fanout *, int profile, const fanout_keys *rtp, const fanout_keys *rtcp,
                               const fanout_address *address, socklen_t address_size)
    void fanout_move_session(fanout *, int64_t session, const fanout_address *address, socklen_t address_size)
    void fanout_remove_session(fanout *, int64_t session)
    int64_t fanout_add_table(fanout *, uint32_t room, uint32_t kind)
    void fanout_clear_table(fanout *, int64_t table)
    int fanout_remove_table(fanout *, int64_t table)
    bint fanout_has_session(fanout *, int64_t session)
    bint fanout_may_add(fanout *, int64_t session, uint32_t ssrc, uint32_t rtx_ssrc)
    int64_t fanout_add_row(fanout *, int64_t table, int64_t session, const fanout_track *track)
    void fanout_set_live(fanout *, int64_t row, bint live)
    bint fanout_is_live(fanout *, int64_t row)
    bint fanout_is_replaying(fanout *, int64_t row)
    void fanout_rebase(fanout *, int64_t row, uint16_t sequence_offset, uint32_t timestamp_offset,
                       uint8_t payload_type, uint8_t rtx_payload_type, int64_t first_sequence)
    int fanout_move_row(fanout *, int64_t row, int64_t table)
    void fanout_remove_row(fanout *, int64_t row)
    fanout_counters fanout_count(fanout *, int64_t row)
    void fanout_reported(fanout *, int64_t session, uint32_t ssrc, const fanout_reception *reception)
    ctypedef struct fanout_edge:
        int64_t session, at_ns
        bint receives
    size_t fanout_receptions(fanout *, int64_t now_ns, fanout_edge *edges, size_t room, size_t *start)
    void fanout_estimated(fanout *, int64_t session, uint64_t bitrate_bps)
    uint64_t fanout_bandwidth_bps(fanout *, int64_t session)
    int64_t fanout_add_stream(fanout *, int fd)
    int fanout_remove_stream(fanout *, int64_t stream)
    bint fanout_post(fanout *, const fanout_address *address, socklen_t size, const fanout_packet *packet)
    int64_t fanout_send(fanout *, int64_t table, const fanout_packet *packets, size_t count, int64_t now_ns)
    int fanout_replay_row(fanout *, int64_t row, uint16_t first_sequence, uint32_t anchor_timestamp,
                          int64_t anchor_ns, int64_t due_ns, int64_t spare_bps)
    int64_t fanout_pace(fanout *, int64_t now_ns, const int64_t **lost, size_t *lost_count)
    int64_t fanout_retransmit(fanout *, int64_t session, uint32_t ssrc, const uint16_t *sequences, size_t count,
                              int64_t now_ns)
    int fanout_send_rtcp(fanout *, int64_t session, const fanout_packet *packet)
    int fanout_report(fanout *, int64_t row, uint64_t ntp, uint32_t rtp_timestamp, const fanout_packet *cname)
    int64_t fanout_report_table(fanout *, int64_t table, uint64_t ntp, uint32_t rtp_timestamp,
                                const fanout_packet *cname, uint32_t part, uint32_t parts)


def _load():
    """OpenSSL from the pylibsrtp wheel, else the system's; ImportError says why neither serves."""
    reasons = []
    wheel = importlib.util.find_spec("pylibsrtp._binding")
    for path in ([wheel.origin] if wheel is not None and wheel.origin else []) + ["libcrypto.so.3"]:
        name = os.fsencode(path)
        reason = fanout_crypto_load(name)
        if reason == NULL:
            return path
        reasons.append(f"{path}: {os.fsdecode(reason)}")
    raise ImportError("no OpenSSL 3 for the native fan-out: " + "; ".join(reasons))


LIBRARY = _load()
VERSION = fanout_crypto_version().decode()


cdef fanout_packet _packet(bytes data) except *:
    cdef fanout_packet packet
    if data is None:
        raise TypeError("a packet is bytes")
    packet.data = <const uint8_t *>PyBytes_AS_STRING(data)
    packet.size = <size_t>PyBytes_GET_SIZE(data)
    return packet


cdef const uint8_t *_octets(bytes data):
    return <const uint8_t *>PyBytes_AS_STRING(data)


cdef void _derive(fanout_keys *keys, bytes key, bytes salt, int first) except *:
    """RFC 3711 §4.3.1: labels `first` (key), + 1 (authentication), + 2 (salt)."""
    cdef size_t salt_size = len(salt)
    if not (
        fanout_derive(_octets(key), _octets(salt), salt_size, first, keys.key, sizeof(keys.key))
        and fanout_derive(_octets(key), _octets(salt), salt_size, first + 1, keys.auth_key, sizeof(keys.auth_key))
        and fanout_derive(_octets(key), _octets(salt), salt_size, first + 2, keys.salt, salt_size)
    ):
        raise MemoryError


cdef socklen_t _address(int family, str host, int64_t port, fanout_address *address) except 0:
    """As the socket's family wants it; ValueError for a name: nothing is looked up on this path."""
    memset(address, 0, sizeof(address[0]))
    if host == STREAM:
        address.stream.family, address.stream.number = AF_UNSPEC, port
        return sizeof(address.stream)
    parsed = ip_address(host)
    cdef bytes packed = parsed.packed
    if parsed.version == 4 and family != AF_INET6:
        address.v4.sin_family = AF_INET
        address.v4.sin_port = htons(<uint16_t>port)
        memcpy(&address.v4.sin_addr, _octets(packed), 4)
        return sizeof(address.v4)
    if parsed.version == 4:
        packed = bytes(10) + b"\xff\xff" + packed
    elif parsed.scope_id:
        zone = parsed.scope_id
        address.v6.sin6_scope_id = int(zone) if zone.isdecimal() else socket.if_nametoindex(zone)
    address.v6.sin6_family = AF_INET6
    address.v6.sin6_port = htons(<uint16_t>port)
    memcpy(&address.v6.sin6_addr, _octets(packed), 16)
    return sizeof(address.v6)


cdef class Fanout:
    """Sends on a duplicate of `fd`, a UDP socket, which stays the caller's. `close()` when done."""

    cdef fanout *_native
    cdef int _fd, _family
    cdef bint _sending
    cdef uint64_t[::1] _words
    cdef size_t _rooms
    cdef set _streams

    def __cinit__(self, int fd, flags):
        cdef uint64_t secret[2]
        cdef bytes random = os.urandom(sizeof(secret))
        self._fd = -1
        self._streams = set()
        self._words = flags.words
        self._rooms = self._words.shape[0] // WORDS
        memcpy(secret, _octets(random), sizeof(secret))
        self._fd = os.dup(fd)
        with socket.socket(fileno=os.dup(fd)) as probe:
            self._family = probe.family
        self._native = fanout_new(self._fd, &self._words[0], secret)
        if self._native == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self._native != NULL:
            fanout_free(self._native)
        if self._fd >= 0:
            os.close(self._fd)

    def close(self):
        self._alone()
        fanout_close(self._native)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
        for stream in list(self._streams):
            self.remove_stream(stream)

    @property
    def stats(self):
        """`Stats` as they are now."""
        cdef const fanout_stats *counts = fanout_counts(self._native)
        return Stats(counts.sent, counts.dropped, counts.held, counts.refused)

    @property
    def segments(self):
        """Whether packets of one viewer leave joined (UDP GSO); False once the kernel refused it."""
        return fanout_segments(self._native)

    cdef int _alone(self) except -1:
        if self._sending:
            raise RuntimeError("a fan-out is called by one thread only")
        return 0

    def add_session(self, int profile, bytes key not None, bytes salt not None, str host not None, int64_t port):
        """One peer: outbound SRTP master key and salt (never the same twice), and where to send."""
        cdef fanout_keys rtp, rtcp
        cdef fanout_address address
        cdef socklen_t size
        self._alone()
        chosen = Profile(profile)
        if (len(key), len(salt)) != KEY_SIZES[chosen]:
            raise ValueError(f"{chosen.name} takes a key and salt of {KEY_SIZES[chosen]} octets")
        size = _address(self._family, host, port, &address)
        try:
            _derive(&rtp, key, salt, 0)
            _derive(&rtcp, key, salt, 3)
            return _made(fanout_add_session(self._native, profile, &rtp, &rtcp, &address, size))
        finally:
            memset(&rtp, 0, sizeof(rtp))
            memset(&rtcp, 0, sizeof(rtcp))

    def move_session(self, int64_t session, str host not None, int64_t port):
        """The peer is reached at another address from now on."""
        cdef fanout_address address
        self._alone()
        if fanout_has_session(self._native, session):
            size = _address(self._family, host, port, &address)
            fanout_move_session(self._native, session, &address, size)

    def remove_session(self, int64_t session):
        """The peer and all its rows are gone."""
        self._alone()
        fanout_remove_session(self._native, session)

    def add_table(self, uint32_t room, uint32_t kind):
        """A track; `room` and `kind` are what `Flags` knows, asked before each row it is sent to."""
        self._alone()
        if room >= self._rooms:
            raise IndexError("no such room in the flags")
        return _made(fanout_add_table(self._native, room, kind))

    def clear_table(self, int64_t table):
        """The track's source begins anew: what it sent before is forgotten, its rows wait, not live."""
        self._alone()
        fanout_clear_table(self._native, table)

    def remove_table(self, int64_t table):
        """The track is gone; its rows wait, not live, to be moved or removed."""
        self._alone()
        _made(fanout_remove_table(self._native, table))

    def add_row(
        self,
        int64_t table,
        int64_t session,
        uint32_t ssrc,
        uint8_t payload_type,
        uint32_t rtx_ssrc,
        uint8_t rtx_payload_type,
        int mid_extension,
        bytes mid not None,
    ):
        """A viewer's track, not live yet. `rtx_ssrc`, `mid_extension`: 0 for none.

        ValueError for an SSRC that another row of the session sends with, KeyError for no such session.
        """
        cdef fanout_track track
        self._alone()
        if not fanout_has_session(self._native, session):
            raise KeyError(session)
        if not fanout_may_add(self._native, session, ssrc, rtx_ssrc):
            raise ValueError("another row of the session sends with this SSRC")
        cdef bytes extension = extension_block({mid_extension: mid}) if mid_extension and mid else b""
        track.ssrc, track.rtx_ssrc = ssrc, rtx_ssrc
        track.payload_type, track.rtx_payload_type = payload_type, rtx_payload_type
        track.extension, track.extension_size = _octets(extension), len(extension)
        return _made(fanout_add_row(self._native, table, session, &track))

    def set_live(self, int64_t row, bint live):
        """Whether `send` serves the row; it does not catch up any more."""
        self._alone()
        fanout_set_live(self._native, row, live)

    def is_live(self, int64_t row):
        return fanout_is_live(self._native, row)

    def is_replaying(self, int64_t row):
        return fanout_is_replaying(self._native, row)

    def rebase(
        self,
        int64_t row,
        int64_t sequence_offset,
        int64_t timestamp_offset,
        uint8_t payload_type,
        uint8_t rtx_payload_type,
        int64_t first_sequence=-1,
    ):
        """Begin an epoch: what is added to the source's numbers, and how the payload is marked.

        Source packets before `first_sequence` (-1: none) are refused from now on: with the new offset they
        would take numbers that lie before the epoch.
        """
        self._alone()
        fanout_rebase(self._native, row, sequence_offset & 0xFFFF, timestamp_offset & 0xFFFFFFFF, payload_type,
                      rtx_payload_type, first_sequence)

    def replay(self, int64_t row, uint16_t first_sequence, uint32_t anchor_timestamp, int64_t anchor_ns,
               int64_t due_ns, int64_t spare_bps):
        """Catch up from the history's packet `first_sequence` on, then go live; `pace` sends what is due.

        `anchor_timestamp`, with the row's offset applied, arrived at `anchor_ns`; nothing leaves before `due_ns`
        (`rtp.replay`).
        """
        self._alone()
        if spare_bps <= 0:
            raise ValueError("a rate is more than nothing")
        _made(fanout_replay_row(self._native, row, first_sequence, anchor_timestamp, anchor_ns, due_ns, spare_bps))

    def pace(self, int64_t now_ns):
        """Send each row that catches up the frame that is due: when the next one is (-1: none), and the rows
        that fell too far behind, which wait now, not live."""
        cdef const int64_t *lost
        cdef size_t count, n
        cdef int64_t next_ns
        self._alone()
        self._sending = True
        with nogil:
            next_ns = fanout_pace(self._native, now_ns, &lost, &count)
        self._sending = False
        return next_ns, [lost[n] for n in range(count)]

    def move_row(self, int64_t row, int64_t table):
        """Feed the row from another track."""
        self._alone()
        _made(fanout_move_row(self._native, row, table))

    def remove_row(self, int64_t row):
        self._alone()
        fanout_remove_row(self._native, row)

    def send(self, int64_t table, packets, int64_t now_ns):
        """Plaintext RTP packets of the track, as they came, to every live row; how many packets left.

        They are kept for those who catch up, and for those who ask again.
        """
        cdef tuple kept = tuple(packets)  # nobody can take them away while the GIL is released
        cdef size_t count = len(kept), n
        cdef int64_t sent
        cdef fanout_packet few[16]
        cdef fanout_packet *given = few
        self._alone()
        if count > 16:
            given = <fanout_packet *>PyMem_Malloc(count * sizeof(fanout_packet))
            if given == NULL:
                raise MemoryError
        try:
            for n in range(count):
                given[n] = _packet(kept[n])
            self._sending = True
            with nogil:
                sent = fanout_send(self._native, table, given, count, now_ns)
            self._sending = False
        finally:
            if given != few:
                PyMem_Free(given)
        return _made(sent)

    def retransmit(self, int64_t session, uint32_t ssrc, sequences, int64_t now_ns):
        """Answer a NACK for the session's `ssrc` from the history (RFC 4588 §4); how many packets left.

        Within the row's budget: RTX_BURST_BYTES at once, RTX_BYTES_PER_S in the long run. A row without RTX
        repeats the packet itself, and only when it is the very one sent before.
        """
        cdef uint16_t asked[1024]
        cdef size_t count = 0
        self._alone()
        for sequence in sequences:
            if count == 1024:
                break
            asked[count] = sequence
            count += 1
        return fanout_retransmit(self._native, session, ssrc, asked, count, now_ns)

    def report(self, int64_t row, uint64_t ntp, uint32_t rtp_timestamp, bytes cname not None):
        """Tell the viewer that the source's `rtp_timestamp` is the time `ntp` (RFC 3550 §6.4.1, §6.5.1)."""
        cdef fanout_packet name = _name(cname)
        self._alone()
        return _left(fanout_report(self._native, row, ntp, rtp_timestamp, &name)) == 1

    def report_table(self, int64_t table, uint64_t ntp, uint32_t rtp_timestamp, bytes cname not None,
                     uint32_t part, uint32_t parts):
        """`report` to those of the track's rows whose SSRC is `part` modulo `parts`; how many left."""
        cdef fanout_packet name = _name(cname)
        self._alone()
        if parts == 0:
            raise ZeroDivisionError
        return _left(fanout_report_table(self._native, table, ntp, rtp_timestamp, &name, part, parts))

    def reported(self, int64_t session, uint32_t ssrc, uint8_t fraction_lost, int64_t lost, uint32_t highest,
                 uint32_t jitter, int64_t now_ns):
        """A receiver's report block about one of the session's rows, for its counters."""
        cdef fanout_reception reception
        self._alone()
        reception.reported_ns, reception.lost, reception.fraction_lost = now_ns, lost, fraction_lost
        reception.highest_sequence, reception.jitter = highest, jitter
        fanout_reported(self._native, session, ssrc, &reception)

    def receptions(self, int64_t now_ns):
        """What is new about who receives: (session, whether it does, since when or until when in ns)."""
        cdef fanout_edge edges[256]
        cdef size_t start = 0, count, n
        cdef list news = []
        self._alone()
        while True:
            count = fanout_receptions(self._native, now_ns, edges, 256, &start)
            for n in range(count):
                news.append((edges[n].session, bool(edges[n].receives), edges[n].at_ns))
            if count < 256:
                return news

    def estimated(self, int64_t session, uint64_t bitrate_bps):
        """The receiver's estimate of what its path carries (REMB)."""
        self._alone()
        fanout_estimated(self._native, session, bitrate_bps)

    def bandwidth_bps(self, int64_t session):
        """The newest estimate, 0 without one."""
        return fanout_bandwidth_bps(self._native, session)

    def add_stream(self, int fd):
        """A TCP connection, written to through a duplicate of `fd`; the address (STREAM, number) names it."""
        cdef int own
        self._alone()
        own = os.dup(fd)
        cdef int64_t stream = fanout_add_stream(self._native, own)
        if stream < 0:
            os.close(own)
            raise MemoryError
        self._streams.add(stream)
        return stream

    def remove_stream(self, int64_t stream):
        self._alone()
        cdef int own = fanout_remove_stream(self._native, stream)
        if own >= 0:
            os.close(own)
            self._streams.discard(stream)

    def post(self, str host not None, int64_t port, bytes data not None):
        """Send octets as they are: STUN and DTLS. Whether they left."""
        cdef fanout_address address
        cdef fanout_packet given = _packet(data)
        self._alone()
        size = _address(self._family, host, port, &address)
        return fanout_post(self._native, &address, size, &given)

    def send_rtcp(self, int64_t session, bytes plaintext not None):
        """One compound packet to one peer. No flag holds it back: a BYE must leave a dark room too."""
        cdef fanout_packet given = _packet(plaintext)
        self._alone()
        return _left(fanout_send_rtcp(self._native, session, &given)) == 1

    def counters(self, int64_t row):
        cdef fanout_counters c = fanout_count(self._native, row)
        return Counters(
            c.packets, c.octets, c.last_sequence, c.last_timestamp, c.last_sent_ns, c.replayed, c.rtx,
            c.rtx_unknown, c.rtx_capped, c.reported_ns, c.fraction_lost, c.lost, c.highest_sequence, c.jitter,
        )


cdef fanout_packet _name(bytes cname) except *:
    if len(cname) > 255:
        raise ValueError("a CNAME has at most 255 octets")
    return _packet(cname)


cdef int64_t _left(int64_t result) except? -1:
    if result == FANOUT_USED_UP:
        raise OverflowError("the SRTCP index is used up")
    return result


cdef int64_t _made(int64_t result) except? -1:
    if result == FANOUT_NO_MEMORY:
        raise MemoryError
    if result == FANOUT_SOURCES:
        raise ValueError(f"a session sends with at most {FANOUT_MAX_SOURCES} SSRCs")
    return result


def derive(bytes key not None, bytes salt not None, int label, int size):
    """`srtp.derive`, for the published vectors."""
    if len(key) != 16 or len(salt) > 14 or not 0 <= size <= 1024:
        raise ValueError("a key of 16 octets, a salt of at most 14")
    cdef bytes out = PyBytes_FromStringAndSize(NULL, size)
    if not fanout_derive(_octets(key), _octets(salt), len(salt), label, <uint8_t *>PyBytes_AS_STRING(out), size):
        raise MemoryError
    return out


def protect(int profile, bytes key not None, bytes salt not None, bytes authentication_key not None,
            uint32_t ssrc, uint64_t index, bytes header not None, bytes payload not None, bint rtcp=False):
    """`srtp.PacketCipher.protect`, or `protect_rtcp` of header + payload, with these session keys.

    For the published vectors: what is sent goes through the same code.
    """
    cdef fanout_cipher cipher
    cdef size_t size = len(header) + len(payload)
    cdef bint done
    if (len(key), len(salt)) != KEY_SIZES[Profile(profile)] or (profile == 1 and len(authentication_key) != 20):
        raise ValueError("keys of the wrong size")
    if size > FANOUT_DATAGRAM:
        raise ValueError("longer than a datagram")
    cdef bytes out = PyBytes_FromStringAndSize(NULL, size + FANOUT_RTCP_TRAILER)
    cdef uint8_t *packet = <uint8_t *>PyBytes_AS_STRING(out)
    memcpy(packet, _octets(header), len(header))
    memcpy(packet + len(header), _octets(payload), len(payload))
    if not fanout_cipher_open(&cipher, profile, _octets(key), _octets(salt), _octets(authentication_key)):
        raise MemoryError
    if rtcp:
        size = fanout_protect_rtcp(&cipher, ssrc, index, packet, size)
        done = size > 0
    else:
        done = fanout_protect(&cipher, ssrc, index, packet, len(header), _octets(payload), len(payload))
        size += cipher.tag_size
    fanout_cipher_close(&cipher)
    if not done:
        raise MemoryError
    return out[:size]


include "_receiver.pxi"
