/* What every way out shares: asking the flags, the peer's address, letting go. Part of the fan-out alone. */

#ifndef LIVESERVER_FANOUT_OUT_H
#define LIVESERVER_FANOUT_OUT_H

#include <string.h>

#include "_fanout_tables.h"

enum { FLAGS_WORDS = 4, FLAGS_DARK = 1, FLAGS_LEASE = 2, FLAGS_HOLD = 3 };

/* Where `Flags.words` says whether a packet may leave. */
typedef struct {
    uint32_t room, kind;
    uint64_t now_ns;
} fanout_gate;

static inline fanout_gate gate_of(const fanout_table *table, int64_t now_ns) {
    return (fanout_gate){table->flags_room, table->flags_kind, (uint64_t)now_ns};
}

/* `Flags.allows`. Other threads write the words, each whole. */
static inline bool allows(const fanout *self, const fanout_gate *gate) {
    const uint64_t *words = self->words + (size_t)gate->room * FLAGS_WORDS;
    uint64_t dark = __atomic_load_n(words + FLAGS_DARK, __ATOMIC_ACQUIRE);
    uint64_t hold = __atomic_load_n(words + FLAGS_HOLD, __ATOMIC_ACQUIRE);
    return !((dark | hold) & gate->kind) && gate->now_ns < __atomic_load_n(words + FLAGS_LEASE, __ATOMIC_ACQUIRE);
}

/* Once more at the last moment: a cut that came while the packets were gathered holds them back. */
static inline void flush(fanout *self, const fanout_gate *gate) {
    if (self->wire.count > 0)
        fanout_wire_flush(&self->wire, gate == NULL || allows(self, gate), &self->stats);
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

/* What was reserved and filled goes out, by the peer's way. */
static inline void hand_over(fanout *self, const fanout_address *address, socklen_t address_size, uint8_t *packet,
                      size_t size) {
    if (address->any.sa_family != AF_UNSPEC) {
        fanout_wire_commit(&self->wire, size, address, address_size);
        return;
    }
    fanout_stream *stream = fanout_stream_of(&self->registry, address->stream.number);
    if (stream != NULL && fanout_stream_write(stream, packet, size))
        self->stats.sent++;
    else
        self->stats.dropped++;
}

#endif
