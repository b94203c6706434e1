#include "_fanout_receive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "_fanout_feedback.h"
#include "_fanout_stun.h"
#include "_fanout_tables.h"

enum { SPACE = 2048, RTP_HEADER = 12, RTCP_HEADER = 8 };
static const int64_t SILENT_NS = 3000000000, PICTURE_MIN_GAP_NS = 250000000;

const char *const FANOUT_REASONS[FANOUT_REASON_COUNT] = {
    "bad_size",       "stranger",       "unknown_kind",       "early_srtp",     "unasked_media",
    "srtp_malformed", "srtp_auth",      "srtp_replay",        "srtp_sources",   "rtcp_malformed",
    "stun_malformed", "stun_other",     "stun_unknown_ufrag", "stun_integrity", "socket_error",
};

struct fanout_receiver {
    int fd;
    fanout *out;
    fanout_map by_address, by_ufrag, by_number;
    int64_t made;
    uint64_t counts[FANOUT_REASON_COUNT];
    struct mmsghdr messages[FANOUT_BATCH];
    struct iovec parts[FANOUT_BATCH];
    fanout_address from[FANOUT_BATCH];
    uint8_t space[FANOUT_BATCH][SPACE];
};

/* One datagram on its way through. */
typedef struct {
    uint8_t *data;
    size_t size;
    const fanout_address *from, *seen; /* `seen` differs for a stream: the address of its far end */
    socklen_t from_size;
    int64_t now_ns;
} arrival;

fanout_receiver *fanout_receiver_new(int fd, fanout *out, const uint64_t secret[2]) {
    fanout_receiver *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->fd = fd;
    self->out = out;
    fanout_map *const maps[] = {&self->by_address, &self->by_ufrag, &self->by_number};
    for (size_t n = 0; n < sizeof maps / sizeof *maps; n++)
        memcpy(maps[n]->secret, secret, sizeof maps[n]->secret);
    for (size_t n = 0; n < FANOUT_BATCH; n++) {
        self->parts[n] = (struct iovec){self->space[n], SPACE};
        self->messages[n].msg_hdr.msg_iov = &self->parts[n];
        self->messages[n].msg_hdr.msg_iovlen = 1;
        self->messages[n].msg_hdr.msg_name = &self->from[n];
    }
    return self;
}

void fanout_receiver_close(fanout_receiver *self) {
    self->fd = -1;
}

void fanout_receiver_free(fanout_receiver *self) {
    for (size_t place = 0; place < self->by_number.room; place++)
        if (self->by_number.entries[place].value != NULL)
            fanout_peer_free(self->by_number.entries[place].value);
    fanout_map_free(&self->by_address);
    fanout_map_free(&self->by_ufrag);
    fanout_map_free(&self->by_number);
    free(self);
}

const uint64_t *fanout_receiver_counts(const fanout_receiver *self) {
    return self->counts;
}

/* ---- peers */

static fanout_key key_from(const void *octets, size_t size) {
    fanout_key key = {.size = size};
    memcpy(key.octets, octets, size);
    return key;
}

static fanout_peer *peer_of(const fanout_receiver *self, int64_t number) {
    const fanout_key key = key_from(&number, sizeof number);
    return fanout_map_get(&self->by_number, &key);
}

const fanout_peer *fanout_peer_of(const fanout_receiver *self, int64_t peer) {
    return peer_of(self, peer);
}

static void set_pwd(fanout_peer *peer, const uint8_t *pwd, size_t size) {
    memcpy(peer->pwd, pwd, size);
    peer->pwd_size = size;
}

int64_t fanout_add_peer(fanout_receiver *self, const uint8_t *ufrag, size_t ufrag_size, const uint8_t *pwd,
                        size_t pwd_size, int64_t now_ns) {
    fanout_peer *peer = calloc(1, sizeof *peer);
    if (peer == NULL)
        return FANOUT_NO_MEMORY;
    peer->number = ++self->made;
    peer->ufrag = key_from(ufrag, ufrag_size);
    peer->heard_ns = now_ns;
    peer->picture_ns = -PICTURE_MIN_GAP_NS;
    set_pwd(peer, pwd, pwd_size);
    const fanout_key number = key_from(&peer->number, sizeof peer->number);
    if (fanout_map_put(&self->by_number, &number, peer) && fanout_map_put(&self->by_ufrag, &peer->ufrag, peer))
        return peer->number;
    fanout_map_remove(&self->by_number, &number);
    fanout_peer_free(peer);
    return FANOUT_NO_MEMORY;
}

int fanout_restart_peer(fanout_receiver *self, int64_t peer, const uint8_t *ufrag, size_t ufrag_size,
                        const uint8_t *pwd, size_t pwd_size) {
    fanout_peer *found = peer_of(self, peer);
    const fanout_key key = key_from(ufrag, ufrag_size);
    if (found == NULL)
        return 0;
    if (!fanout_map_put(&self->by_ufrag, &key, found))
        return FANOUT_NO_MEMORY;
    fanout_map_remove(&self->by_ufrag, &found->ufrag);
    found->ufrag = key;
    found->is_restarted = true;
    set_pwd(found, pwd, pwd_size);
    return 0;
}

int fanout_open_peer(fanout_receiver *self, int64_t peer, int profile, const fanout_keys *rtp,
                     const fanout_keys *rtcp, int64_t session, bool is_viewer) {
    fanout_peer *found = peer_of(self, peer);
    if (found == NULL || found->open)
        return 0;
    found->rtp_seen = calloc(1, sizeof *found->rtp_seen);
    found->rtcp_seen = calloc(1, sizeof *found->rtcp_seen);
    if (found->rtp_seen == NULL || found->rtcp_seen == NULL ||
        !fanout_cipher_open(&found->rtp, profile, rtp->key, rtp->salt, rtp->auth_key) ||
        !fanout_cipher_open(&found->rtcp, profile, rtcp->key, rtcp->salt, rtcp->auth_key))
        return FANOUT_NO_MEMORY;
    found->open = true;
    found->session = session;
    found->is_viewer = is_viewer;
    if (found->has_selected)
        fanout_move_session(self->out, session, &found->selected.address, found->selected.size);
    return 0;
}

void fanout_remove_peer(fanout_receiver *self, int64_t peer) {
    fanout_peer *found = peer_of(self, peer);
    if (found == NULL)
        return;
    const fanout_key number = key_from(&peer, sizeof peer);
    for (size_t n = 0; n < found->address_count; n++)
        fanout_map_remove(&self->by_address, &found->addresses[n].key);
    fanout_map_remove(&self->by_ufrag, &found->ufrag);
    fanout_map_remove(&self->by_number, &number);
    fanout_peer_free(found);
}

/* ---- addresses */

static bool is_same(const fanout_key *one, const fanout_key *other) {
    return one->size == other->size && memcmp(one->octets, other->octets, one->size) == 0;
}

static bool is_selected(const fanout_peer *peer, const fanout_key *key) {
    return peer->has_selected && is_same(&peer->selected.key, key);
}

static void drop_address(fanout_peer *peer, const fanout_key *key) {
    for (size_t n = 0; n < peer->address_count; n++)
        if (is_same(&peer->addresses[n].key, key)) {
            peer->address_count--;
            memmove(&peer->addresses[n], &peer->addresses[n + 1], (peer->address_count - n) * sizeof *peer->addresses);
            return;
        }
}

int64_t fanout_stream_peer(const fanout_receiver *self, int64_t stream) {
    const fanout_address address = {.stream = {.family = AF_UNSPEC, .number = stream}};
    fanout_key key;
    fanout_key_of(&address, &key);
    const fanout_peer *peer = fanout_map_get(&self->by_address, &key);
    return peer != NULL ? peer->number : 0;
}

void fanout_forget_stream(fanout_receiver *self, int64_t stream) {
    const fanout_address address = {.stream = {.family = AF_UNSPEC, .number = stream}};
    fanout_key key;
    fanout_key_of(&address, &key);
    fanout_peer *peer = fanout_map_get(&self->by_address, &key);
    if (peer == NULL)
        return;
    fanout_map_remove(&self->by_address, &key);
    drop_address(peer, &key);
    if (is_selected(peer, &key))
        peer->has_selected = false;
}

/* The address has sent a check of the peer's. Without memory for it, it is as good as not validated. */
static void validate(fanout_receiver *self, fanout_peer *peer, const fanout_place_seen *place) {
    fanout_peer *previous = fanout_map_get(&self->by_address, &place->key);
    if (previous == peer || !fanout_map_put(&self->by_address, &place->key, peer))
        return;
    if (previous != NULL)
        drop_address(previous, &place->key);
    peer->addresses[peer->address_count++] = *place;
    if (peer->address_count <= FANOUT_MAX_ADDRESSES)
        return;
    size_t oldest = is_selected(peer, &peer->addresses[0].key) ? 1 : 0;
    const fanout_key key = peer->addresses[oldest].key;
    fanout_map_remove(&self->by_address, &key);
    drop_address(peer, &key);
}

/* Send there from now on, if it is better than what is in use. Clients that nominate aggressively put
 * USE-CANDIDATE into every check, so a nomination only replaces an address that has been silent;
 * authenticated media (`certain`) replaces any. */
static void prefer(fanout_receiver *self, fanout_peer *peer, const fanout_place_seen *place, int64_t now_ns,
                   bool certain) {
    if (!is_selected(peer, &place->key)) {
        bool silent = now_ns - peer->selected_heard_ns > SILENT_NS;
        if (peer->has_selected && !certain && !silent)
            return;
        peer->selected = *place;
        peer->has_selected = true;
        fanout_move_session(self->out, peer->session, &place->address, place->size);
    }
    peer->selected_heard_ns = now_ns;
}

static fanout_place_seen place_of(const arrival *came) {
    fanout_place_seen place = {.address = *came->from, .size = came->from_size};
    fanout_key_of(came->from, &place.key);
    return place;
}

/* ---- what came */

static void receive_stun(fanout_receiver *self, const arrival *came) {
    fanout_check check;
    if (!fanout_stun_read(came->data, came->size, &check)) {
        self->counts[FANOUT_STUN_MALFORMED]++;
        return;
    }
    if (!check.is_request) {
        self->counts[FANOUT_STUN_OTHER]++;
        return;
    }
    fanout_peer *peer = NULL;
    if (check.username != NULL && check.username_size <= FANOUT_MAX_KEY) {
        const fanout_key ufrag = key_from(check.username, check.username_size);
        peer = fanout_map_get(&self->by_ufrag, &ufrag);
    }
    if (peer == NULL) {
        self->counts[FANOUT_STUN_UNKNOWN_UFRAG]++;
        return;
    }
    if (!fanout_stun_verify(&check, peer->pwd, peer->pwd_size)) {
        self->counts[FANOUT_STUN_INTEGRITY]++;
        return;
    }
    const fanout_place_seen place = place_of(came);
    uint8_t answer[FANOUT_STUN_ANSWER];
    peer->heard_ns = came->now_ns;
    validate(self, peer, &place);
    if (check.use_candidate || !peer->has_selected) {
        /* Who restarts does so because the old way has failed: the first nomination after it is meant. */
        prefer(self, peer, &place, came->now_ns, peer->is_restarted);
        peer->is_restarted = false;
    } else if (is_selected(peer, &place.key))
        peer->selected_heard_ns = came->now_ns;
    size_t size = fanout_stun_answer(&check, came->seen, peer->pwd, peer->pwd_size, answer);
    fanout_post(self->out, came->from, came->from_size, &(fanout_packet){answer, size});
}

static uint32_t read_32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool was_seen(fanout_window *window, int64_t index) {
    int64_t behind = window->highest - index;
    if (behind < 0)
        return false;
    return index < 0 || behind >= FANOUT_WINDOW || (*fanout_window_word(window, index) & fanout_window_bit(index));
}

/* Authenticate under `index`; the octets left in the clear, or 0 with a count. Nothing else changes then. */
static size_t unprotect(fanout_receiver *self, fanout_peer *peer, const arrival *came, fanout_window *window,
                        bool is_new, int64_t index, size_t header) {
    bool is_rtcp = header == RTCP_HEADER;
    uint32_t ssrc = window->ssrc;
    size_t left = 0;
    if (index < 0 || index >> 48 != 0 || was_seen(window, index)) {
        self->counts[FANOUT_SRTP_REPLAY]++;
    } else {
        left = is_rtcp ? fanout_unprotect_rtcp(&peer->rtcp, ssrc, (uint32_t)index, came->data, came->size)
                       : fanout_unprotect(&peer->rtp, ssrc, (uint64_t)index, came->data, header, came->size);
        if (left == 0)
            self->counts[FANOUT_SRTP_AUTH]++;
    }
    if (left > 0)
        fanout_window_mark(window, index);
    if (is_new && left > 0)
        fanout_seen_keep(is_rtcp ? peer->rtcp_seen : peer->rtp_seen, window);
    else if (is_new)
        free(window);
    return left;
}

static size_t unprotect_rtp(fanout_receiver *self, fanout_peer *peer, const arrival *came) {
    const uint8_t *data = came->data;
    size_t size = came->size, header = RTP_HEADER + 4 * (size_t)(data[0] & 0x0F);
    bool is_new, whole = size >= RTP_HEADER;
    if (whole && (data[0] & 0x10)) {
        whole = size >= header + 4;
        if (whole)
            header += 4 + 4 * ((size_t)data[header + 2] << 8 | data[header + 3]);
    }
    if (!whole || size < header + peer->rtp.tag_size) {
        self->counts[FANOUT_SRTP_MALFORMED]++;
        return 0;
    }
    fanout_window *window = fanout_seen_window(peer->rtp_seen, read_32(data + 8), &is_new);
    if (window == NULL) {
        self->counts[FANOUT_SRTP_SOURCES]++;
        return 0;
    }
    int64_t index = fanout_window_guess(window, (uint16_t)(data[2] << 8 | data[3]));
    return unprotect(self, peer, came, window, is_new, index, header);
}

static size_t unprotect_rtcp(fanout_receiver *self, fanout_peer *peer, const arrival *came) {
    size_t size = came->size, tag = peer->rtcp.tag_size;
    size_t word_end = peer->rtcp.mac == NULL ? size : size - tag;
    bool is_new;
    if (size < RTCP_HEADER + tag + 4 || !(came->data[word_end - 4] & 0x80)) { /* E = 0: not encrypted */
        self->counts[FANOUT_SRTP_MALFORMED]++;
        return 0;
    }
    fanout_window *window = fanout_seen_window(peer->rtcp_seen, read_32(came->data + 4), &is_new);
    if (window == NULL) {
        self->counts[FANOUT_SRTP_SOURCES]++;
        return 0;
    }
    int64_t index = read_32(came->data + word_end - 4) & 0x7FFFFFFF;
    return unprotect(self, peer, came, window, is_new, index, RTCP_HEADER);
}

/* A viewer's RTCP in the clear: nothing of it is an event but a lost picture, and that not too often. */
static bool fold(fanout_receiver *self, fanout_peer *peer, const arrival *came, size_t size) {
    bool wants_picture;
    if (!fanout_feedback(self->out, peer->session, came->data, size, came->now_ns, &wants_picture)) {
        self->counts[FANOUT_RTCP_MALFORMED]++;
        return false;
    }
    if (!wants_picture || came->now_ns - peer->picture_ns < PICTURE_MIN_GAP_NS)
        return false;
    peer->picture_ns = came->now_ns;
    return true;
}

static bool receive_srtp(fanout_receiver *self, fanout_peer *peer, const arrival *came, fanout_event *event) {
    bool is_rtcp = came->size > 1 && came->data[1] >= 192 && came->data[1] <= 223; /* RFC 5761 4 */
    if (!peer->open || (peer->is_viewer && !is_rtcp)) {
        self->counts[peer->open ? FANOUT_UNASKED_MEDIA : FANOUT_EARLY_SRTP]++;
        return false;
    }
    size_t size = is_rtcp ? unprotect_rtcp(self, peer, came) : unprotect_rtp(self, peer, came);
    if (size == 0)
        return false;
    const fanout_place_seen place = place_of(came);
    peer->heard_ns = came->now_ns;
    prefer(self, peer, &place, came->now_ns, true);
    if (peer->is_viewer) {
        *event = (fanout_event){FANOUT_EVENT_PICTURE, peer->number, came->data, 0};
        return fold(self, peer, came, size);
    }
    *event = (fanout_event){is_rtcp ? FANOUT_EVENT_RTCP : FANOUT_EVENT_RTP, peer->number, came->data, size};
    return true;
}

/* Whether it became an event. */
static bool receive(fanout_receiver *self, const arrival *came, fanout_event *event) {
    if (came->size == 0 || came->size > FANOUT_MAX_RECEIVED) {
        self->counts[FANOUT_BAD_SIZE]++;
        return false;
    }
    uint8_t first = came->data[0];
    if (first < 4) {
        receive_stun(self, came);
        return false;
    }
    const fanout_place_seen place = place_of(came);
    fanout_peer *peer = fanout_map_get(&self->by_address, &place.key);
    if (peer == NULL) {
        self->counts[FANOUT_STRANGER]++;
        return false;
    }
    if (first > 127 && first < 192)
        return receive_srtp(self, peer, came, event);
    if (first <= 19 || first >= 64) {
        self->counts[FANOUT_UNKNOWN_KIND]++;
        return false;
    }
    if (peer->open && !is_selected(peer, &place.key)) {
        self->counts[FANOUT_STRANGER]++;
        return false;
    }
    prefer(self, peer, &place, came->now_ns, !peer->open);
    *event = (fanout_event){FANOUT_EVENT_DTLS, peer->number, came->data, came->size};
    return true;
}

int fanout_receive(fanout_receiver *self, unsigned limit, int64_t now_ns, fanout_event events[FANOUT_BATCH],
                   size_t *event_count) {
    *event_count = 0;
    for (unsigned n = 0; n < limit; n++)
        self->messages[n].msg_hdr.msg_namelen = sizeof self->from[n];
    int count = recvmmsg(self->fd, self->messages, limit, MSG_DONTWAIT, NULL);
    if (count < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK || errno == EBADF)
            return -1;
        self->counts[FANOUT_SOCKET_ERROR]++; /* a pending ICMP error of some earlier send; the next read goes on */
        return 1;
    }
    for (int n = 0; n < count; n++) {
        const struct msghdr *header = &self->messages[n].msg_hdr;
        const arrival came = {
            .data = self->space[n],
            .size = header->msg_flags & MSG_TRUNC ? SPACE : self->messages[n].msg_len,
            .from = &self->from[n],
            .seen = &self->from[n],
            .from_size = header->msg_namelen,
            .now_ns = now_ns,
        };
        *event_count += receive(self, &came, &events[*event_count]);
    }
    return count;
}

size_t fanout_receive_one(fanout_receiver *self, const uint8_t *data, size_t size, int64_t stream,
                          const fanout_address *seen, int64_t now_ns, fanout_event *event) {
    const fanout_address from = {.stream = {.family = AF_UNSPEC, .number = stream}};
    const arrival came = {self->space[0], size, &from, seen, sizeof from.stream, now_ns};
    if (size > 0 && size <= FANOUT_MAX_RECEIVED)
        memcpy(self->space[0], data, size);
    return receive(self, &came, event);
}
