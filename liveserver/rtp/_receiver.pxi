# The native twin of `liveserver.rtp.receiver.Receiver`, included by `_fanout.pyx`.
#
# What happens to a datagram is in `_fanout_receive.c`, with `_fanout_peers.c`, `_fanout_stun.c` and
# `_fanout_feedback.c`. `poll` runs without the GIL.

from liveserver.rtp.receiver import Event


cdef extern from "_fanout_receive.h" nogil:
    enum:
        FANOUT_BATCH
        FANOUT_REASON_COUNT
        FANOUT_MAX_KEY
        FANOUT_MAX_PWD
    const char *FANOUT_REASONS[]
    ctypedef struct fanout_place_seen:
        fanout_address address
    ctypedef struct fanout_peer:
        bint has_selected
        fanout_place_seen selected
        fanout_place_seen *addresses
        size_t address_count
        int64_t heard_ns
    ctypedef struct fanout_event:
        int kind
        int64_t peer
        const uint8_t *data
        size_t size
    ctypedef struct fanout_receiver:
        pass

    fanout_receiver *fanout_receiver_new(int fd, fanout *out, const uint64_t *secret)
    void fanout_receiver_close(fanout_receiver *)
    void fanout_receiver_free(fanout_receiver *)
    const uint64_t *fanout_receiver_counts(const fanout_receiver *)
    int64_t fanout_add_peer(fanout_receiver *, const uint8_t *ufrag, size_t ufrag_size, const uint8_t *pwd,
                            size_t pwd_size, int64_t now_ns)
    int fanout_restart_peer(fanout_receiver *, int64_t peer, const uint8_t *ufrag, size_t ufrag_size,
                            const uint8_t *pwd, size_t pwd_size)
    int fanout_open_peer(fanout_receiver *, int64_t peer, int profile, const fanout_keys *rtp,
                         const fanout_keys *rtcp, int64_t session, bint is_viewer)
    void fanout_remove_peer(fanout_receiver *, int64_t peer)
    const fanout_peer *fanout_peer_of(const fanout_receiver *, int64_t peer)
    int64_t fanout_stream_peer(const fanout_receiver *, int64_t stream)
    void fanout_forget_stream(fanout_receiver *, int64_t stream)
    int fanout_receive(fanout_receiver *, unsigned limit, int64_t now_ns, fanout_event *events, size_t *count)
    size_t fanout_receive_one(fanout_receiver *, const uint8_t *data, size_t size, int64_t stream,
                              const fanout_address *seen, int64_t now_ns, fanout_event *event)


cdef tuple _pair(const fanout_address *address):
    """(host, port) as Python's sockets tell it."""
    if address.stream.family == AF_UNSPEC:
        return STREAM, address.stream.number
    if address.v4.sin_family == AF_INET:
        return socket.inet_ntop(AF_INET, (<const char *>&address.v4.sin_addr)[:4]), ntohs(address.v4.sin_port)
    host = socket.inet_ntop(AF_INET6, (<const char *>&address.v6.sin6_addr)[:16])
    if address.v6.sin6_scope_id:
        host = f"{host}%{socket.if_indextoname(address.v6.sin6_scope_id)}"
    return host, ntohs(address.v6.sin6_port)


cdef tuple _credentials(str ufrag, str pwd):
    cdef tuple octets = (ufrag.encode(), pwd.encode())
    if len(octets[0]) > FANOUT_MAX_KEY or len(octets[1]) > FANOUT_MAX_PWD:
        raise ValueError("ICE credentials are longer than ours ever are")
    return octets


cdef class Receiver:
    """Reads a duplicate of `fd`, a UDP socket that does not block, and answers through `fanout`."""

    cdef fanout_receiver *_native
    cdef Fanout _fanout  # outlives what points into it
    cdef int _fd

    def __cinit__(self, int fd, Fanout fanout not None):
        cdef uint64_t secret[2]
        cdef bytes random = os.urandom(sizeof(secret))
        memcpy(secret, _octets(random), sizeof(secret))
        self._fd = -1
        self._fanout = fanout
        self._fd = os.dup(fd)
        self._native = fanout_receiver_new(self._fd, fanout._native, secret)
        if self._native == NULL:
            raise MemoryError

    def __dealloc__(self):
        if self._native != NULL:
            fanout_receiver_free(self._native)
        if self._fd >= 0:
            os.close(self._fd)

    def close(self):
        self._fanout._alone()
        fanout_receiver_close(self._native)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    @property
    def counters(self):
        """Datagrams that came to nothing, by reason."""
        cdef const uint64_t *counts = fanout_receiver_counts(self._native)
        cdef int n
        return {FANOUT_REASONS[n].decode(): counts[n] for n in range(FANOUT_REASON_COUNT) if counts[n]}

    def add_peer(self, str ufrag not None, str pwd not None, int64_t now_ns):
        """A peer whose checks carry our `ufrag` and are signed with our `pwd`."""
        self._fanout._alone()
        cdef bytes name, key
        name, key = _credentials(ufrag, pwd)
        return _made(fanout_add_peer(self._native, _octets(name), len(name), _octets(key), len(key), now_ns))

    def restart_peer(self, int64_t peer, str ufrag not None, str pwd not None):
        """ICE restart (RFC 8445 2.4): new credentials, same session; the old address serves until then."""
        self._fanout._alone()
        cdef bytes name, key
        name, key = _credentials(ufrag, pwd)
        _made(fanout_restart_peer(self._native, peer, _octets(name), len(name), _octets(key), len(key)))

    def open_peer(self, int64_t peer, int profile, bytes key not None, bytes salt not None, int64_t session,
                  bint is_viewer):
        """DTLS has finished: what the peer protects with these keys is taken from now on.

        `session` is its in the fan-out, which follows its address; a viewer's RTCP is folded into it.
        """
        cdef fanout_keys rtp, rtcp
        self._fanout._alone()
        chosen = Profile(profile)
        if (len(key), len(salt)) != KEY_SIZES[chosen]:
            raise ValueError(f"{chosen.name} takes a key and salt of {KEY_SIZES[chosen]} octets")
        try:
            _derive(&rtp, key, salt, 0)
            _derive(&rtcp, key, salt, 3)
            _made(fanout_open_peer(self._native, peer, profile, &rtp, &rtcp, session, is_viewer))
        finally:
            memset(&rtp, 0, sizeof(rtp))
            memset(&rtcp, 0, sizeof(rtcp))

    def remove_peer(self, int64_t peer):
        self._fanout._alone()
        fanout_remove_peer(self._native, peer)

    def selected(self, int64_t peer):
        """Where the peer is reached, or None before its first valid check."""
        cdef const fanout_peer *found = fanout_peer_of(self._native, peer)
        return _pair(&found.selected.address) if found != NULL and found.has_selected else None

    def addresses(self, int64_t peer):
        """Where the peer's valid checks came from, the oldest first."""
        cdef const fanout_peer *found = fanout_peer_of(self._native, peer)
        cdef size_t n
        return [_pair(&found.addresses[n].address) for n in range(found.address_count)] if found != NULL else []

    def heard_ns(self, int64_t peer):
        """When the peer last proved that it is there (monotonic), 0 for one that is gone."""
        cdef const fanout_peer *found = fanout_peer_of(self._native, peer)
        return found.heard_ns if found != NULL else 0

    def send(self, int64_t peer, bytes data not None):
        """A DTLS record to the peer's selected address; nothing leaves towards one that is not validated."""
        cdef const fanout_peer *found = fanout_peer_of(self._native, peer)
        if found == NULL or not found.has_selected:
            return False
        return self._fanout.post(*_pair(&found.selected.address), data)

    def poll(self, int limit, int64_t now_ns):
        """Read up to `limit` waiting datagrams. STUN is answered here, garbage ends here."""
        cdef fanout_event events[FANOUT_BATCH]
        cdef size_t count, n
        cdef int wanted, read = 0
        cdef list found = []
        self._fanout._alone()
        while limit > 0 and read >= 0:
            wanted = limit if limit < FANOUT_BATCH else FANOUT_BATCH
            self._fanout._sending = True
            with nogil:
                read = fanout_receive(self._native, wanted, now_ns, events, &count)
            self._fanout._sending = False
            limit -= read
            for n in range(count):
                found.append(_event(&events[n]))
            if read < wanted:
                break
        return found

    def receive(self, bytes data not None, int64_t stream, str seen_host not None, int seen_port, int64_t now_ns):
        """One packet that came on a TCP connection, the fan-out's `stream`, from the address seen there."""
        cdef fanout_event event
        cdef fanout_address seen
        self._fanout._alone()
        _address(AF_INET6 if ":" in seen_host else AF_INET, seen_host, seen_port, &seen)
        if fanout_receive_one(self._native, _octets(data), len(data), stream, &seen, now_ns, &event):
            return [_event(&event)]
        return []

    def forget(self, int64_t stream):
        """The connection is closed: the peer is not reached there any more."""
        self._fanout._alone()
        fanout_forget_stream(self._native, stream)

    def stream_peer(self, int64_t stream):
        """The peer that a valid check on this connection named; 0 for none, or one that is gone."""
        return fanout_stream_peer(self._native, stream)


cdef object _event(const fanout_event *event):
    return Event(event.kind, event.peer, (<const char *>event.data)[:event.size])
