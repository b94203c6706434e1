# cython: language_level=3
"""Many viewers' packets in native memory; what happens to them is in _swarm_*.c (see _swarm.h).

One thread calls `run`; everything else may be called from any other. ImportError when there is no OpenSSL 3.
"""

from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize, PyBytes_GET_SIZE
from libc.stdint cimport int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memset

import importlib.util
import os
import socket


cdef extern from "<sys/socket.h>" nogil:
    ctypedef unsigned int socklen_t
    struct sockaddr_storage:
        unsigned short ss_family


cdef extern from "_fanout_crypto.h" nogil:
    const char *fanout_crypto_load(const char *path)
    const char *fanout_crypto_version()
    bint fanout_derive(const uint8_t *key, const uint8_t *salt, size_t salt_size, uint8_t label, uint8_t *out,
                       size_t size)


cdef extern from "_swarm.h" nogil:
    enum:
        SWARM_NO_MEMORY, SWARM_NO_VIEWER, SWARM_BAD_KEYS, SWARM_BUCKETS, SWARM_FRAMES, SWARM_DATAGRAM
        SWARM_STREAMS, SWARM_CONTROL, SWARM_RTCP, SWARM_REFUSED
    ctypedef struct swarm_counts:
        uint64_t packets, bytes, duplicates, repaired, reordered, lost, audio_lost, missing, discarded
        uint64_t nacks, nacked, plis, reports, video_packets, audio_packets, rtcp_packets, sender_reports
        uint64_t unauthentic, malformed, unknown, early, byes
        uint64_t first_packet_ns, first_picture_ns, last_packet_ns
    ctypedef struct swarm_event:
        int viewer, kind
        sockaddr_storage source "from"
        socklen_t from_size
        size_t size
        uint8_t data[1500]
    ctypedef struct swarm_frame:
        uint64_t number, first_sent_ns, last_sent_ns, last_arrived_ns, packets
    ctypedef struct swarm_loop_counts:
        uint64_t wakes, reads, datagrams, packets, ring_full, cpu_ns
    ctypedef struct swarm:
        int event
        bint gro
        uint64_t latency[1280]
        swarm_frame *frames
        swarm_loop_counts counts
    ctypedef struct swarm_keys:
        uint8_t key[16]
        uint8_t salt[14]
        uint8_t auth_key[20]
    swarm *swarm_new(uint32_t loss, uint64_t seed)
    void swarm_free(swarm *)
    int swarm_add(swarm *, int fd)
    int swarm_start(swarm *, int viewer, int profile, const swarm_keys *keys, uint32_t ssrc, const uint8_t *types,
                    const uint32_t *clock_rates, bint publishes)
    int swarm_counts_of(swarm *, int viewer, swarm_counts *into)
    int swarm_remove(swarm *, int viewer, swarm_counts *into)
    int swarm_send_rtp(swarm *, int viewer, const uint8_t *packet, size_t header, size_t size, uint64_t index)
    int swarm_send_rtcp(swarm *, int viewer, const uint8_t *packet, size_t size)
    void swarm_measure(swarm *, bint on)
    bint swarm_take(swarm *, swarm_event *into)
    int swarm_run(swarm *)
    void swarm_stop(swarm *)
    unsigned swarm_bucket(uint64_t ns)


CONTROL, RTCP, REFUSED = SWARM_CONTROL, SWARM_RTCP, SWARM_REFUSED
_SALT_SIZES = {1: 14, 7: 12}  # AES128_CM_HMAC_SHA1_80, AEAD_AES_128_GCM


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
    raise ImportError("no OpenSSL 3 for the swarm: " + "; ".join(reasons))


LIBRARY = _load()
VERSION = fanout_crypto_version().decode()


cdef const uint8_t *_octets(bytes data):
    return <const uint8_t *>PyBytes_AS_STRING(data)


cdef int _derive(swarm_keys *keys, bytes key, bytes salt, int first) except -1:
    """RFC 3711 4.3.1: labels `first` (key), + 1 (authentication), + 2 (salt)."""
    cdef size_t size = len(salt)
    if not (
        fanout_derive(_octets(key), _octets(salt), size, first, keys.key, 16)
        and fanout_derive(_octets(key), _octets(salt), size, first + 1, keys.auth_key, 20)
        and fanout_derive(_octets(key), _octets(salt), size, first + 2, keys.salt, size)
    ):
        raise MemoryError
    return 0


cdef int _done(int result) except -1:
    if result == SWARM_NO_VIEWER:
        raise KeyError("no such viewer")
    if result == SWARM_NO_MEMORY:
        raise MemoryError
    if result == SWARM_BAD_KEYS:
        raise ValueError("the keys were not taken")
    if result > 0:
        raise OSError(result, os.strerror(result))
    return 0


cdef object _address(const swarm_event *event):
    """(host, port) of an IPv4 or IPv6 source, else None."""
    cdef const uint8_t *raw = <const uint8_t *>&event.source
    if event.from_size == 0:
        return None
    port = raw[2] << 8 | raw[3]
    if event.source.ss_family == socket.AF_INET:
        return socket.inet_ntop(socket.AF_INET, PyBytes_FromStringAndSize(<char *>raw + 4, 4)), port
    if event.source.ss_family == socket.AF_INET6:
        return socket.inet_ntop(socket.AF_INET6, PyBytes_FromStringAndSize(<char *>raw + 8, 16)), port
    return None


cdef class Swarm:
    """`loss` from 0 to 1 is thrown away on arrival, the same packets for the same `seed`."""

    cdef swarm *_native

    def __cinit__(self, double loss=0.0, uint64_t seed=1):
        if not 0 <= loss < 1:
            raise ValueError("a loss from 0 to below 1")
        self._native = swarm_new(<uint32_t>(loss * 4294967295.0), seed)
        if self._native == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self._native != NULL:
            swarm_free(self._native)

    def run(self):
        """Look after all viewers until `stop()`; OSError when the kernel will not."""
        cdef int result
        with nogil:
            result = swarm_run(self._native)
        _done(result)

    def stop(self):
        swarm_stop(self._native)

    @property
    def event_fd(self):
        """Readable when `take` has something."""
        return self._native.event

    @property
    def joins_datagrams(self):
        """Whether the kernel hands over several packets at once (UDP GRO)."""
        return self._native.gro

    def add(self, int fd):
        """Watch a UDP socket, which stays the caller's until `remove`; the viewer's number."""
        cdef int number
        with nogil:
            number = swarm_add(self._native, fd)
        if number < 0:
            raise MemoryError
        return number

    def start(self, int viewer, int profile, tuple ours not None, tuple theirs not None, uint32_t ssrc,
              dict types not None, tuple clock_rates not None, bint publishes=False):
        """Keys are there. `ours` and `theirs`: master key and salt. `types`: payload type → 2 x stream + is RTX,
        stream 0 sound and 1 pictures, with `clock_rates` in hertz."""
        cdef swarm_keys keys[4]
        cdef uint8_t by_type[128]
        cdef uint32_t rates[2]
        cdef int result, n
        for key, salt in (ours, theirs):
            if len(key) != 16 or len(salt) != _SALT_SIZES[profile]:
                raise ValueError("keys of the wrong size")
        memset(by_type, 0, sizeof(by_type))
        for payload_type, role in types.items():
            if not 0 <= payload_type < 128 or not 0 <= role < 2 * SWARM_STREAMS:
                raise ValueError("a payload type out of range")
            by_type[payload_type] = role + 1
        for n in range(2):
            rates[n] = clock_rates[n]
        memset(keys, 0, sizeof(keys))
        _derive(&keys[0], theirs[0], theirs[1], 0)
        _derive(&keys[1], theirs[0], theirs[1], 3)
        _derive(&keys[2], ours[0], ours[1], 0)
        _derive(&keys[3], ours[0], ours[1], 3)
        with nogil:
            result = swarm_start(self._native, viewer, profile, keys, ssrc, by_type, rates, publishes)
        memset(keys, 0, sizeof(keys))
        _done(result)

    def counts(self, int viewer):
        """What the viewer has received so far, by name."""
        cdef swarm_counts counts
        cdef int result
        with nogil:
            result = swarm_counts_of(self._native, viewer, &counts)
        _done(result)
        return counts

    def remove(self, int viewer):
        """Look no more after a viewer; its last counts."""
        cdef swarm_counts counts
        cdef int result
        with nogil:
            result = swarm_remove(self._native, viewer, &counts)
        _done(result)
        return counts

    def send_rtp(self, int viewer, bytes packet not None, uint64_t index):
        """Protect `packet`, whose header has 12 octets, under a 48-bit index, and send. OSError as send has it."""
        cdef int result
        cdef const uint8_t *data = _octets(packet)
        cdef size_t size = PyBytes_GET_SIZE(packet)
        if size < 12 or size > SWARM_DATAGRAM - 16:
            raise ValueError("no packet")
        with nogil:
            result = swarm_send_rtp(self._native, viewer, data, 12, size, index)
        _done(result)

    def send_rtcp(self, int viewer, bytes packet not None):
        """Protect a compound packet and send."""
        cdef int result
        cdef const uint8_t *data = _octets(packet)
        cdef size_t size = PyBytes_GET_SIZE(packet)
        with nogil:
            result = swarm_send_rtcp(self._native, viewer, data, size)
        _done(result)

    def take(self):
        """(viewer, kind, address or None, datagram) that waits longest, or None."""
        cdef swarm_event event
        cdef bint found
        with nogil:
            found = swarm_take(self._native, &event)
        if not found:
            return None
        return event.viewer, event.kind, _address(&event), PyBytes_FromStringAndSize(<char *>event.data, event.size)

    def measure(self, bint on=True):
        """Latencies and pictures count from now on, from nothing; `on` false: no more."""
        with nogil:
            swarm_measure(self._native, on)

    def latencies(self):
        """The histogram: packets by `bucket_ns`."""
        return [self._native.latency[n] for n in range(SWARM_BUCKETS)]

    def pictures(self):
        """(number, first packet sent, last sent, last arrived at any viewer in ns of CLOCK_MONOTONIC, packets that
        arrived), by number."""
        cdef swarm_frame *frame
        found = []
        for n in range(SWARM_FRAMES):
            frame = &self._native.frames[n]
            if frame.packets:
                found.append((frame.number, frame.first_sent_ns, frame.last_sent_ns, frame.last_arrived_ns,
                              frame.packets))
        return sorted(found)

    def loop(self):
        """What the loop did, and its thread's CPU time."""
        return self._native.counts


def bucket(uint64_t ns):
    """The histogram's bucket of a time."""
    return swarm_bucket(ns)
