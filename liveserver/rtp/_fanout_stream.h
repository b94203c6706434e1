/* One peer's TCP connection: `stream.Stream`, in native memory (RFC 6544, RFC 4571). */

#ifndef LIVESERVER_FANOUT_STREAM_H
#define LIVESERVER_FANOUT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FANOUT_MAX_WAITING = 64 * 1024 }; /* octets kept for a peer that reads slowly */

typedef struct {
    int fd;
    uint8_t *waiting; /* FANOUT_MAX_WAITING octets, or NULL while nothing waits */
    size_t size, begun; /* begun: octets at the front whose packet has begun to leave */
    bool begun_media;
    uint64_t left;        /* octets that have left */
    uint32_t room, kinds; /* of the media that waits; kinds 0: none does */
    uint64_t epoch;       /* the room's when it came */
} fanout_stream;

/* Let it wait for a flush; whether there was room. */
bool fanout_stream_put(fanout_stream *stream, const uint8_t *packet, size_t size);
/* Send what waits, as far as the peer takes it; false when the connection is broken. */
bool fanout_stream_flush(fanout_stream *stream);
/* Take back the media that waits; how many packets. */
unsigned fanout_stream_recall(fanout_stream *stream);
/* Does not close the descriptor. */
void fanout_stream_free(fanout_stream *stream);

#endif
