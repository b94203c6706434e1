#include "_fanout_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

bool fanout_stream_write(fanout_stream *stream, const uint8_t *packet, size_t size) {
    if (stream->size + 2 + size > FANOUT_MAX_WAITING)
        return false;
    if (stream->waiting == NULL) {
        stream->waiting = malloc(FANOUT_MAX_WAITING);
        if (stream->waiting == NULL)
            return false;
    }
    stream->waiting[stream->size] = (uint8_t)(size >> 8);
    stream->waiting[stream->size + 1] = (uint8_t)size;
    memcpy(stream->waiting + stream->size + 2, packet, size);
    stream->size += 2 + size;
    return fanout_stream_flush(stream);
}

bool fanout_stream_flush(fanout_stream *stream) {
    size_t sent = 0;
    bool whole = true;
    while (sent < stream->size) {
        ssize_t taken = send(stream->fd, stream->waiting + sent, stream->size - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken < 0) {
            whole = errno == EAGAIN || errno == EWOULDBLOCK;
            break;
        }
        sent += (size_t)taken;
    }
    stream->size = whole ? stream->size - sent : 0;
    if (stream->size > 0)
        memmove(stream->waiting, stream->waiting + sent, stream->size);
    return whole;
}

void fanout_stream_free(fanout_stream *stream) {
    free(stream->waiting);
    free(stream);
}
