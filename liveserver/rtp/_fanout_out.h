/* What every way out shares: asking the flags, the peer's address, letting go. Part of the fan-out alone. */

#ifndef LIVESERVER_FANOUT_OUT_H
#define LIVESERVER_FANOUT_OUT_H

#include <string.h>
#include <time.h>

#include "_fanout_tables.h"

enum {
    FLAGS_EPOCH,
    FLAGS_DARK,
    FLAGS_LEASE,
    FLAGS_HOLD,
    FLAGS_SENDING,
    FLAGS_UDP,
    FLAGS_TCP,
    FLAGS_VIEWERS,
    FLAGS_WORDS,
};

/* Where `Flags.words` says whether a packet may leave. */
typedef struct {
    uint32_t room, kind;
    uint64_t now_ns;
} fanout_gate;

static inline fanout_gate gate_of(const fanout_table *table, int64_t now_ns) {
    return (fanout_gate){table->flags_room, table->flags_kind, (uint64_t)now_ns};
}

static inline uint64_t *word_of(const fanout *self, uint32_t room, unsigned which) {
    return self->words + (size_t)room * FLAGS_WORDS + which;
}

/* `Flags.allows`, for any of several kinds. Other threads write the words, each whole. */
static inline bool lights(const fanout *self, uint32_t room, uint32_t kinds, uint64_t now_ns) {
    uint64_t dark = __atomic_load_n(word_of(self, room, FLAGS_DARK), __ATOMIC_ACQUIRE);
    uint64_t hold = __atomic_load_n(word_of(self, room, FLAGS_HOLD), __ATOMIC_ACQUIRE);
    return !((dark | hold) & kinds) && now_ns < __atomic_load_n(word_of(self, room, FLAGS_LEASE), __ATOMIC_ACQUIRE);
}

static inline bool allows(const fanout *self, const fanout_gate *gate) {
    return lights(self, gate->room, gate->kind, gate->now_ns);
}

/* `Flags.sending`: whoever darkens the room sees that something of it may still be on its way. */
static inline void begin_sending(fanout *self, uint32_t room) {
    __atomic_store_n(word_of(self, room, FLAGS_SENDING), 1, __ATOMIC_SEQ_CST);
}

static inline void end_sending(fanout *self, uint32_t room) {
    __atomic_store_n(word_of(self, room, FLAGS_SENDING), 0, __ATOMIC_RELEASE);
}

/* `Flags.left`. */
static inline void note_left(fanout *self, uint32_t room, unsigned which) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    __atomic_store_n(word_of(self, room, which), (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec,
                     __ATOMIC_RELEASE);
}

/* Once more at the last moment: a cut that came while the packets were gathered holds them back. */
static inline void flush(fanout *self, const fanout_gate *gate) {
    if (self->wire.count == 0)
        return;
    uint64_t before = self->stats.sent;
    fanout_wire_flush(&self->wire, gate == NULL || allows(self, gate), &self->stats);
    if (gate != NULL && self->stats.sent > before)
        note_left(self, gate->room, FLAGS_UDP);
}

static inline uint32_t read_32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void write_32(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

/* `Streams.write`; `gate` is NULL for what is not media. Whether it was taken. */
bool fanout_stream_send(fanout *self, int64_t number, const fanout_gate *gate, const uint8_t *packet, size_t size);
/* `Streams.flush`. */
bool fanout_streams_flush(fanout *self, int64_t now_ns);

/* What was reserved and filled goes out, by the peer's way. */
static inline void hand_over(fanout *self, const fanout_gate *gate, const fanout_address *address,
                             socklen_t address_size, uint8_t *packet, size_t size) {
    if (address->any.sa_family != AF_UNSPEC)
        fanout_wire_commit(&self->wire, size, address, address_size);
    else if (fanout_stream_send(self, address->stream.number, gate, packet, size))
        self->stats.sent++;
    else
        self->stats.dropped++;
}

#endif
