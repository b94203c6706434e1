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
#include "_fanout_wire.h"

enum { FANOUT_NO_MEMORY = -1, FANOUT_SOURCES = -2, FANOUT_USED_UP = -3 };
enum { FANOUT_MAX_SOURCES = 64, FANOUT_REPEATABLE = 1024 };

typedef struct fanout fanout;

/* One packet as it came, in the caller's memory. */
typedef struct {
    const uint8_t *data;
    size_t size;
} fanout_packet;

/* Where `Flags.words` says whether a packet may leave. */
typedef struct {
    uint32_t room, kind;
    uint64_t now_ns;
} fanout_gate;

/* What add_row is told; `extension` is the header extension as it is written, or nothing. */
typedef struct {
    uint32_t ssrc, rtx_ssrc;
    uint8_t payload_type, rtx_payload_type;
    const uint8_t *extension;
    size_t extension_size;
} fanout_track;

/* `words` stays the caller's and outlives the fan-out; `secret` keys the fingerprints. NULL: no memory. */
fanout *fanout_new(int fd, const uint64_t *words, const uint64_t secret[2]);
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

int64_t fanout_add_table(fanout *self);
int fanout_remove_table(fanout *self, int64_t table);

bool fanout_has_session(fanout *self, int64_t session);
bool fanout_may_add(fanout *self, int64_t session, uint32_t ssrc, uint32_t rtx_ssrc);
int64_t fanout_add_row(fanout *self, int64_t table, int64_t session, const fanout_track *track);
void fanout_set_live(fanout *self, int64_t row, bool live);
void fanout_rebase(fanout *self, int64_t row, uint16_t sequence_offset, uint32_t timestamp_offset,
                   uint8_t payload_type, uint8_t rtx_payload_type, int64_t first_sequence);
int fanout_move_row(fanout *self, int64_t row, int64_t table);
void fanout_remove_row(fanout *self, int64_t row);
/* {packets, octets, newest sequence number, its timestamp} */
void fanout_counters(fanout *self, int64_t row, uint64_t counters[4]);

/* Packets that left, or FANOUT_NO_MEMORY. Needs no GIL. */
int64_t fanout_send(fanout *self, int64_t table, const fanout_gate *gate, const fanout_packet *packets,
                    size_t count);
int64_t fanout_send_row(fanout *self, int64_t row, const fanout_gate *gate, const fanout_packet *packet,
                        uint32_t timestamp);
bool fanout_send_rtx(fanout *self, int64_t row, const fanout_gate *gate, const fanout_packet *packet,
                     uint16_t out_sequence, uint32_t timestamp);
/* 1 sent, 0 not, or FANOUT_USED_UP. */
int fanout_send_rtcp(fanout *self, int64_t session, const fanout_packet *packet);

#endif
