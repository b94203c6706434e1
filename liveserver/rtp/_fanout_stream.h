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
    size_t size;
} fanout_stream;

/* Whether the packet was taken. */
bool fanout_stream_write(fanout_stream *stream, const uint8_t *packet, size_t size);
/* Send what waits, as far as the peer takes it; false when the connection is broken. */
bool fanout_stream_flush(fanout_stream *stream);
/* Does not close the descriptor. */
void fanout_stream_free(fanout_stream *stream);

#endif
