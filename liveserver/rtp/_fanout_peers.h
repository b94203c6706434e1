/* Who sends to the port: `receiver.Receiver`'s peers, in native memory. */

#ifndef LIVESERVER_FANOUT_PEERS_H
#define LIVESERVER_FANOUT_PEERS_H

#include "_fanout_core.h"
#include "_fanout_map.h"
#include "_fanout_window.h"

enum { FANOUT_MAX_ADDRESSES = 8, FANOUT_MAX_PWD = 64, FANOUT_MAX_SSRCS = 64 };

/* Where a peer is reached: an address of a datagram, or a stream. */
typedef struct {
    fanout_address address;
    socklen_t size;
    fanout_key key;
} fanout_place_seen;

/* What was seen of each source; as long as the peer, for nothing may be replayed. */
typedef struct {
    fanout_window *windows[FANOUT_MAX_SSRCS];
    size_t count;
} fanout_seen;

typedef struct {
    int64_t number, session;
    fanout_key ufrag;
    uint8_t pwd[FANOUT_MAX_PWD];
    size_t pwd_size;
    bool open, is_viewer, has_selected;
    bool is_restarted; /* and no address was nominated since */
    fanout_cipher rtp, rtcp;
    fanout_seen *rtp_seen, *rtcp_seen; /* while `open` */
    fanout_place_seen selected;
    fanout_place_seen addresses[FANOUT_MAX_ADDRESSES + 1]; /* the oldest first; one more while one is added */
    size_t address_count;
    int64_t selected_heard_ns, heard_ns, picture_ns;
} fanout_peer;

/* The key of a socket's address, or of a stream. */
void fanout_key_of(const fanout_address *address, fanout_key *key);
void fanout_peer_free(fanout_peer *peer);
/* The window of a source; a new one is kept only by `fanout_seen_keep`. NULL: too many, or no memory. */
fanout_window *fanout_seen_window(fanout_seen *seen, uint32_t ssrc, bool *is_new);
void fanout_seen_keep(fanout_seen *seen, fanout_window *window);

#endif
