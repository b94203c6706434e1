/* Many WebRTC viewers' receiving halves: sockets, SRTP, loss and repair, reports. No Python in here.
 *
 * One thread runs `swarm_run`; others may call the rest at any time: a mutex is held while packets are looked
 * at, not while waiting for them. What is no RTP or RTCP (STUN, DTLS), and what a viewer that publishes is
 * told by RTCP, is put into a bounded ring and an eventfd says so.
 *
 *   _swarm_core.c     viewers, the ring
 *   _swarm_loop.c     sockets, datagrams
 *   _swarm_receive.c  one RTP packet: which number, is it new, what it repairs, how old it is
 *   _swarm_rtcp.c     sender reports in; receiver reports, REMB, NACK and PLI out
 */

#ifndef LOADTEST_SWARM_H
#define LOADTEST_SWARM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "_fanout_crypto.h"

enum {
    SWARM_VIEWERS = 65536,
    SWARM_STREAMS = 2,    /* sound and picture */
    SWARM_WINDOW = 4096,  /* numbers of a stream that are told apart; 23 s at 1 Mbit/s */
    SWARM_GAPS = 512,     /* missing packets of a stream that are asked for */
    SWARM_DATAGRAM = 1500,
    SWARM_RING = 4096,    /* datagrams that wait for Python */
    SWARM_EARLY = 64,     /* packets that came before the keys were there */
    SWARM_FRAMES = 4096,  /* pictures whose way is followed; 160 s at 25 a second */
    SWARM_BUCKETS = 1280, /* of a latency histogram: 32 to each power of two nanoseconds */
};
/* Messages taken at once, and the octets of one of joined datagrams. */
enum { SWARM_BATCH = 16, SWARM_JOINED = 65536 };
#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_GRO
#define UDP_GRO 104 /* Linux 5.0; older headers lack it */
#endif

enum { SWARM_NO_MEMORY = -1, SWARM_NO_VIEWER = -2, SWARM_BAD_KEYS = -3 };

/* What a datagram for Python is. */
enum { SWARM_CONTROL = 0, SWARM_RTCP = 1, SWARM_REFUSED = 2 };

/* Totals of one viewer. `lost` (pictures) and `audio_lost` were given up; `missing` may still come. */
typedef struct {
    uint64_t packets, bytes; /* authentic RTP that was new, RTX included; as datagrams */
    uint64_t duplicates, repaired, reordered, lost, audio_lost, missing;
    uint64_t discarded; /* thrown away by us, to be repaired */
    uint64_t nacks, nacked, plis, reports;
    uint64_t video_packets, audio_packets, rtcp_packets, sender_reports;
    uint64_t unauthentic, malformed, unknown, early, byes;
    uint64_t first_packet_ns, first_picture_ns, last_packet_ns; /* CLOCK_MONOTONIC; 0: not yet */
} swarm_counts;

/* Index of one SSRC's packets (RFC 3711 3.3.1). */
typedef struct {
    uint32_t ssrc;
    bool heard;
    int64_t highest;
} swarm_source;

typedef struct {
    int64_t index;
    uint64_t since_ns, asked_ns;
    unsigned tries;
} swarm_gap;

typedef struct {
    bool agreed, video, has_rtx;
    uint32_t clock_rate;
    swarm_source media, rtx;
    uint64_t seen[SWARM_WINDOW / 64];
    swarm_gap *gaps; /* SWARM_GAPS of them, from the first loss on */
    unsigned gap_count;
    /* RFC 3550 6.4.1 */
    int64_t base;
    uint64_t received, expected_before, received_before;
    uint32_t transit, jitter_16;
    uint32_t last_sr;
    uint64_t last_sr_ns;
    /* The first keyframe: from the packet it begins with to the marker, once both are there. */
    int64_t picture_begins, picture_ends;
    uint32_t picture_timestamp;
} swarm_stream;

/* A packet that overtook the end of the handshake, which Python is still busy with. */
typedef struct {
    uint64_t at_ns;
    size_t size;
    uint8_t data[SWARM_DATAGRAM];
} swarm_early;

typedef struct {
    int fd, number;
    bool keyed, publishes;
    swarm_early *early;
    unsigned early_count;
    fanout_cipher rtp_in, rtcp_in, rtp_out, rtcp_out;
    uint32_t ssrc, rtcp_index;
    uint8_t by_type[128]; /* 0: not agreed, else 1 + 2 x stream + is RTX */
    swarm_stream streams[SWARM_STREAMS];
    swarm_counts counts;
    uint64_t report_due_ns, bytes_before, reported_ns, pli_ns;
    bool wants_picture, asks; /* asks: gaps were found in what came just now */
} swarm_viewer;

/* One datagram for Python. */
typedef struct {
    int viewer, kind;
    struct sockaddr_storage from;
    socklen_t from_size;
    size_t size;
    uint8_t data[SWARM_DATAGRAM];
} swarm_event;

/* One picture on its way: when its last packet left the source, when the last viewer got its last one. */
typedef struct {
    uint64_t number, first_sent_ns, last_sent_ns, last_arrived_ns, packets;
} swarm_frame;

typedef struct {
    uint64_t wakes, reads, datagrams, packets, ring_full, cpu_ns;
} swarm_loop_counts;

typedef struct {
    pthread_mutex_t lock;
    int epoll, event;
    bool stop, gro, signalled;
    uint32_t loss; /* of 2^32 packets that are thrown away */
    uint64_t random;
    swarm_viewer **viewers;
    int viewer_count;
    swarm_event *ring;
    unsigned ring_head, ring_count;
    bool measuring;
    uint64_t latency[SWARM_BUCKETS];
    swarm_frame *frames;
    uint64_t tick_ns;
    int64_t wall_minus_monotonic_ns;
    swarm_loop_counts counts;
    struct mmsghdr *messages;
    uint8_t *buffers;
} swarm;

typedef struct {
    uint8_t key[FANOUT_KEY], salt[14], auth_key[FANOUT_AUTH_KEY];
} swarm_keys;

/* `loss`: of 2^32. NULL: no memory or descriptors. */
swarm *swarm_new(uint32_t loss, uint64_t seed);
void swarm_free(swarm *self);

/* Watch `fd`, a UDP socket that stays the caller's until `swarm_remove`. The viewer's number, or an error. */
int swarm_add(swarm *self, int fd);
/* Session keys are there: in for RTP and RTCP, then out. `types`: see swarm_viewer.by_type. */
int swarm_start(swarm *self, int viewer, int profile, const swarm_keys keys[4], uint32_t ssrc,
                const uint8_t types[128], const uint32_t clock_rates[SWARM_STREAMS], bool publishes);
int swarm_counts_of(swarm *self, int viewer, swarm_counts *into);
int swarm_remove(swarm *self, int viewer, swarm_counts *into);
/* Protect and send: `index` has 48 bits (ROC and sequence number). 0, or an error. */
int swarm_send_rtp(swarm *self, int viewer, const uint8_t *packet, size_t header, size_t size, uint64_t index);
int swarm_send_rtcp(swarm *self, int viewer, const uint8_t *packet, size_t size);
/* From now on latencies and pictures count, from nothing. */
void swarm_measure(swarm *self, bool on);
/* The oldest waiting datagram; false when there is none. */
bool swarm_take(swarm *self, swarm_event *into);

/* Until `swarm_stop`. 0, or errno. */
int swarm_run(swarm *self);
void swarm_stop(swarm *self);

/* Between the parts, under the lock. */
uint64_t swarm_now_ns(void);
void swarm_media(swarm *self, swarm_viewer *viewer, uint8_t *data, size_t size, uint64_t at_ns);
void swarm_rtp(swarm *self, swarm_viewer *viewer, uint8_t *data, size_t size, uint64_t at_ns);
void swarm_rtcp(swarm *self, swarm_viewer *viewer, uint8_t *data, size_t size, uint64_t at_ns);
void swarm_put(swarm *self, int viewer, int kind, const struct sockaddr_storage *from, socklen_t from_size,
               const uint8_t *data, size_t size);
/* NACK for what was not asked for yet, or not lately. */
void swarm_ask(swarm_viewer *viewer, uint64_t now_ns);
/* What is due: reports, repeated NACKs, a PLI; gaps too old are given up. */
void swarm_tick(swarm_viewer *viewer, uint64_t now_ns);
unsigned swarm_bucket(uint64_t ns);

static inline swarm_viewer *swarm_find(swarm *self, int number) {
    return number >= 0 && number < self->viewer_count ? self->viewers[number] : NULL;
}

static inline uint32_t swarm_read_32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void swarm_write_32(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

#endif
