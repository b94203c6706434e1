#include "_fanout_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

/* SRTP, and not STUN, DTLS or SRTCP (RFC 7983 7, RFC 5761 4). `framed`: a length, then the packet. */
static bool is_media(const uint8_t *framed) {
    size_t size = (size_t)framed[0] << 8 | framed[1];
    return size > 1 && framed[2] >= 128 && framed[2] <= 191 && !(framed[3] >= 192 && framed[3] <= 223);
}

/* Where the packet that begins at `position` ends. */
static size_t end_of(const fanout_stream *stream, size_t position) {
    return position + 2 + ((size_t)stream->waiting[position] << 8 | stream->waiting[position + 1]);
}

bool fanout_stream_put(fanout_stream *stream, const uint8_t *packet, size_t size) {
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
    return true;
}

/* The first `sent` octets are gone. */
static void advance(fanout_stream *stream, size_t sent) {
    size_t end = stream->begun;
    while (end < sent) {
        stream->begun_media = is_media(stream->waiting + end);
        end = end_of(stream, end);
    }
    stream->begun = end - sent;
    stream->size -= sent;
    if (stream->begun == 0)
        stream->begun_media = false;
    if (stream->size == 0)
        stream->kinds = 0;
    else
        memmove(stream->waiting, stream->waiting + sent, stream->size);
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
    stream->left += sent;
    advance(stream, whole ? sent : stream->size);
    return whole;
}

unsigned fanout_stream_recall(fanout_stream *stream) {
    size_t position = stream->begun, kept = stream->begun;
    unsigned recalled = stream->begun_media;
    if (stream->begun_media) /* its framing stays right, and nobody can open it */
        memset(stream->waiting, 0, stream->begun);
    while (position < stream->size) {
        size_t end = end_of(stream, position);
        if (is_media(stream->waiting + position)) {
            recalled++;
        } else {
            memmove(stream->waiting + kept, stream->waiting + position, end - position);
            kept += end - position;
        }
        position = end;
    }
    stream->size = kept;
    stream->begun_media = false;
    stream->kinds = 0;
    return recalled;
}

void fanout_stream_free(fanout_stream *stream) {
    free(stream->waiting);
    free(stream);
}
