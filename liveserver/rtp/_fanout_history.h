/* What one track sent of late: `history.History`, in native memory. */

#ifndef LIVESERVER_FANOUT_HISTORY_H
#define LIVESERVER_FANOUT_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FANOUT_HISTORY = 1024 }; /* packets; a power of two */

/* One packet as it came. */
typedef struct {
    const uint8_t *data;
    size_t size;
} fanout_packet;

/* What all rows take from one packet. */
typedef struct {
    fanout_packet packet;
    const uint8_t *payload;
    size_t payload_size;
    uint64_t hash; /* of the packet, once `hashed` */
    uint32_t timestamp;
    uint16_t sequence;
    uint8_t marker; /* 0x80 or 0 */
    uint8_t pad;    /* octets it is filled up with, when it leaves with others */
    bool hashed;
} fanout_source;

typedef struct {
    fanout_source source; /* of a copy in `memory` */
    int64_t number;
    uint8_t *memory;
    size_t room;
} fanout_kept;

/* `kept` is NULL before the first packet; `highest` is -1 then. */
typedef struct {
    fanout_kept *kept;
    int64_t highest;
} fanout_history;

/* Packets of one RTP timestamp that lie together, from number `first` to before `end`. */
typedef struct {
    int64_t first, end;
    size_t count, octets;
    uint32_t timestamp;
    bool complete;
} fanout_frame;

void fanout_history_clear(fanout_history *history);
/* Keep a copy, unless it is here already or older than all that is kept, or there is no memory for it. */
void fanout_history_add(fanout_history *history, const fanout_source *source);
/* The packet with this extended number, or NULL. */
fanout_source *fanout_history_get(const fanout_history *history, int64_t number);
/* The extended number that a 16-bit sequence number most likely has. */
int64_t fanout_history_number(const fanout_history *history, uint16_t sequence);
/* The first frame that begins at `number` or later; false when there is no packet so new. */
bool fanout_history_frame(const fanout_history *history, int64_t number, fanout_frame *frame);

#endif
