/* Sessions, tables, rows and the sending loop: `fanout.py` in native memory. No Python in here.
 *
 * One thread only, but for the flags, which others write while it reads. A number that names what is gone is
 * answered like in the reference: nothing happens. Errors are return codes. */

#ifndef LIVESERVER_FANOUT_CORE_H
#define LIVESERVER_FANOUT_CORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "_fanout_crypto.h"
#include "_fanout_history.h"
#include "_fanout_wire.h"

enum { FANOUT_NO_MEMORY = -1, FANOUT_SOURCES = -2, FANOUT_USED_UP = -3 };
enum { FANOUT_MAX_SOURCES = 64, FANOUT_REPEATABLE = 1024 };

typedef struct fanout fanout;

/* `tables.Counters`. */
typedef struct {
    uint64_t packets, octets;
    int64_t last_sent_ns;
    uint64_t replayed, rtx, rtx_unknown, rtx_capped;
    int64_t reported_ns;
    int64_t lost;
    uint32_t last_timestamp, highest_sequence, jitter;
    uint16_t last_sequence;
    uint8_t fraction_lost;
} fanout_counters;

/* A receiver's report block, as far as it is kept. */
typedef struct {
    int64_t reported_ns, lost;
    uint32_t highest_sequence, jitter;
    uint8_t fraction_lost;
} fanout_reception;

/* What add_row is told; `extension` is the header extension as it is written, or nothing. */
typedef struct {
    uint32_t ssrc, rtx_ssrc;
    uint8_t payload_type, rtx_payload_type;
    const uint8_t *extension;
    size_t extension_size;
} fanout_track;

/* `words` stays the caller's and outlives the fan-out; `secret` keys the fingerprints. NULL: no memory. */
fanout *fanout_new(int fd, uint64_t *words, const uint64_t secret[2]);
/* Nothing leaves from now on: what is sent counts as dropped. The descriptor is the caller's. */
void fanout_close(fanout *self);
void fanout_free(fanout *self);
const fanout_stats *fanout_counts(const fanout *self);
bool fanout_segments(const fanout *self);

/* Session keys: RTP's key, salt and authentication key, then RTCP's. The new session's number, or an error. */
typedef struct {
    uint8_t key[FANOUT_KEY], salt[14], auth_key[FANOUT_AUTH_KEY];
} fanout_keys;
int64_t fanout_add_session(fanout *self, int profile, const fanout_keys *rtp, const fanout_keys *rtcp,
                           const fanout_address *address, socklen_t address_size);
void fanout_move_session(fanout *self, int64_t session, const fanout_address *address, socklen_t address_size);
void fanout_remove_session(fanout *self, int64_t session);

/* `room` and `kind` are what `Flags.words` is asked about before each row. */
int64_t fanout_add_table(fanout *self, uint32_t room, uint32_t kind);
void fanout_clear_table(fanout *self, int64_t table);
int fanout_remove_table(fanout *self, int64_t table);

bool fanout_has_session(fanout *self, int64_t session);
bool fanout_may_add(fanout *self, int64_t session, uint32_t ssrc, uint32_t rtx_ssrc);
int64_t fanout_add_row(fanout *self, int64_t table, int64_t session, const fanout_track *track);
void fanout_set_live(fanout *self, int64_t row, bool live);
bool fanout_is_live(const fanout *self, int64_t row);
bool fanout_is_replaying(const fanout *self, int64_t row);
void fanout_rebase(fanout *self, int64_t row, uint16_t sequence_offset, uint32_t timestamp_offset,
                   uint8_t payload_type, uint8_t rtx_payload_type, int64_t first_sequence);
int fanout_move_row(fanout *self, int64_t row, int64_t table);
void fanout_remove_row(fanout *self, int64_t row);
fanout_counters fanout_count(const fanout *self, int64_t row);
void fanout_reported(fanout *self, int64_t session, uint32_t ssrc, const fanout_reception *reception);
/* `Fanout.receptions`: the next news from place `*from` on, until `edges` is full; how many, 0 after the last. */
typedef struct {
    int64_t session, at_ns;
    bool receives;
} fanout_edge;
size_t fanout_receptions(fanout *self, int64_t now_ns, fanout_edge *edges, size_t room, size_t *from);
void fanout_estimated(fanout *self, int64_t session, uint64_t bitrate_bps);
uint64_t fanout_bandwidth_bps(const fanout *self, int64_t session);

/* The stream's number, or FANOUT_NO_MEMORY; `fd` stays the caller's and outlives it. */
int64_t fanout_add_stream(fanout *self, int fd);
/* The stream's descriptor for the caller to close, or -1. */
int fanout_remove_stream(fanout *self, int64_t stream);
/* Octets as they are: STUN and DTLS. */
bool fanout_post(fanout *self, const fanout_address *address, socklen_t address_size, const fanout_packet *packet);

/* Packets that left, or FANOUT_NO_MEMORY. Needs no GIL. */
int64_t fanout_send(fanout *self, int64_t table, const fanout_packet *packets, size_t count, int64_t now_ns);
/* Begin to catch up. 0 or FANOUT_NO_MEMORY. */
int fanout_replay_row(fanout *self, int64_t row, uint16_t first_sequence, uint32_t anchor_timestamp,
                      int64_t anchor_ns, int64_t due_ns, int64_t spare_bps);
/* Send what is due. When the next is, or -1. Rows that fell too far behind are in `lost` until the next call. */
int64_t fanout_pace(fanout *self, int64_t now_ns, const int64_t **lost, size_t *lost_count);
int64_t fanout_retransmit(fanout *self, int64_t session, uint32_t ssrc, const uint16_t *sequences, size_t count,
                          int64_t now_ns);
/* 1 sent, 0 not, or FANOUT_USED_UP. */
int fanout_send_rtcp(fanout *self, int64_t session, const fanout_packet *packet);
int fanout_report(fanout *self, int64_t row, uint64_t ntp, uint32_t rtp_timestamp, const fanout_packet *cname);
int64_t fanout_report_table(fanout *self, int64_t table, uint64_t ntp, uint32_t rtp_timestamp,
                            const fanout_packet *cname, uint32_t part, uint32_t parts);

#endif
