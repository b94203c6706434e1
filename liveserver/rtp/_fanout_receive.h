/* The receiving half of the port: `receiver.Receiver`, in native memory. No Python in here.
 *
 * One thread only. A number that names a peer that is gone is answered like in the reference. */

#ifndef LIVESERVER_FANOUT_RECEIVE_H
#define LIVESERVER_FANOUT_RECEIVE_H

#include "_fanout_peers.h"

enum { FANOUT_MAX_RECEIVED = 1500, FANOUT_BATCH = 64 };

/* What came to nothing, by reason; FANOUT_REASONS has their names. */
enum {
    FANOUT_BAD_SIZE,
    FANOUT_STRANGER,
    FANOUT_UNKNOWN_KIND,
    FANOUT_EARLY_SRTP,
    FANOUT_UNASKED_MEDIA,
    FANOUT_SRTP_MALFORMED,
    FANOUT_SRTP_AUTH,
    FANOUT_SRTP_REPLAY,
    FANOUT_SRTP_SOURCES,
    FANOUT_RTCP_MALFORMED,
    FANOUT_STUN_MALFORMED,
    FANOUT_STUN_OTHER,
    FANOUT_STUN_UNKNOWN_UFRAG,
    FANOUT_STUN_INTEGRITY,
    FANOUT_SOCKET_ERROR,
    FANOUT_REASON_COUNT
};
extern const char *const FANOUT_REASONS[FANOUT_REASON_COUNT];

/* `receiver.Kind` */
enum { FANOUT_EVENT_DTLS, FANOUT_EVENT_RTP, FANOUT_EVENT_RTCP, FANOUT_EVENT_PICTURE };

/* `data` lies in the receiver's memory until the next call. */
typedef struct {
    int kind;
    int64_t peer;
    const uint8_t *data;
    size_t size;
} fanout_event;

typedef struct fanout_receiver fanout_receiver;

/* `out` outlives it. NULL: no memory. */
fanout_receiver *fanout_receiver_new(int fd, fanout *out, const uint64_t secret[2]);
/* Nothing is read from now on. The descriptor is the caller's. */
void fanout_receiver_close(fanout_receiver *self);
void fanout_receiver_free(fanout_receiver *self);
const uint64_t *fanout_receiver_counts(const fanout_receiver *self);

/* The peer's number, or FANOUT_NO_MEMORY. At most FANOUT_MAX_KEY and FANOUT_MAX_PWD octets. */
int64_t fanout_add_peer(fanout_receiver *self, const uint8_t *ufrag, size_t ufrag_size, const uint8_t *pwd,
                        size_t pwd_size, int64_t now_ns);
int fanout_restart_peer(fanout_receiver *self, int64_t peer, const uint8_t *ufrag, size_t ufrag_size,
                        const uint8_t *pwd, size_t pwd_size);
int fanout_open_peer(fanout_receiver *self, int64_t peer, int profile, const fanout_keys *rtp,
                     const fanout_keys *rtcp, int64_t session, bool is_viewer);
void fanout_remove_peer(fanout_receiver *self, int64_t peer);
/* NULL for one that is gone. */
const fanout_peer *fanout_peer_of(const fanout_receiver *self, int64_t peer);
/* The peer that a valid check on the stream named, or 0. */
int64_t fanout_stream_peer(const fanout_receiver *self, int64_t stream);
/* Nothing comes from the stream any more. */
void fanout_forget_stream(fanout_receiver *self, int64_t stream);

/* Read at most `limit` (up to FANOUT_BATCH) datagrams; how many there were, -1 when none wait. Needs no GIL. */
int fanout_receive(fanout_receiver *self, unsigned limit, int64_t now_ns, fanout_event events[FANOUT_BATCH],
                   size_t *event_count);
/* One packet that came on a stream, from the address seen there. */
size_t fanout_receive_one(fanout_receiver *self, const uint8_t *data, size_t size, int64_t stream,
                          const fanout_address *seen, int64_t now_ns, fanout_event *event);

#endif
