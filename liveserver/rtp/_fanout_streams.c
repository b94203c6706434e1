/* All TCP connections of a fan-out: `streams.Streams`, in native memory. */

#include "_fanout_out.h"

/* What a slow peer has not read yet is not sent any more once its room is dark, or was meanwhile. */
static void hold_back(fanout *self, fanout_stream *stream, uint64_t now_ns) {
    if (stream->kinds == 0)
        return;
    uint64_t epoch = __atomic_load_n(word_of(self, stream->room, FLAGS_EPOCH), __ATOMIC_ACQUIRE);
    if (stream->epoch != epoch || !lights(self, stream->room, stream->kinds, now_ns))
        self->stats.held += fanout_stream_recall(stream);
}

static bool flush_stream(fanout *self, fanout_stream *stream) {
    uint32_t room = stream->room, kinds = stream->kinds;
    uint64_t left = stream->left;
    bool whole = fanout_stream_flush(stream);
    if (kinds != 0 && stream->left != left)
        note_left(self, room, FLAGS_TCP);
    return whole;
}

static bool send_other(fanout *self, fanout_stream *stream, const uint8_t *packet, size_t size) {
    begin_sending(self, stream->room);
    hold_back(self, stream, 0);
    bool taken = fanout_stream_put(stream, packet, size) && flush_stream(self, stream);
    end_sending(self, stream->room);
    return taken;
}

bool fanout_stream_send(fanout *self, int64_t number, const fanout_gate *gate, const uint8_t *packet, size_t size) {
    fanout_stream *stream = fanout_stream_of(&self->registry, number);
    if (stream == NULL)
        return false;
    if (gate == NULL)
        return send_other(self, stream, packet, size);
    hold_back(self, stream, gate->now_ns);
    if (!fanout_stream_put(stream, packet, size))
        return false;
    stream->room = gate->room;
    stream->kinds |= gate->kind;
    stream->epoch = __atomic_load_n(word_of(self, gate->room, FLAGS_EPOCH), __ATOMIC_ACQUIRE);
    return flush_stream(self, stream);
}

bool fanout_streams_flush(fanout *self, int64_t now_ns) {
    bool waiting = false;
    for (size_t n = 0; n < self->streams.used; n++) {
        fanout_stream *stream = fanout_stream_of(&self->registry, self->streams.numbers[n]);
        if (stream->size == 0)
            continue;
        begin_sending(self, stream->room);
        hold_back(self, stream, (uint64_t)now_ns);
        flush_stream(self, stream);
        end_sending(self, stream->room);
        waiting = waiting || stream->size > 0;
    }
    return waiting;
}
