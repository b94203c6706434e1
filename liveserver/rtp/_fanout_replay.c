#include "_fanout_replay.h"

#include <stdlib.h>

static const int64_t MIN_WINDOW_NS = 150000000, MAX_SPACING_NS = 10000000, MAX_SPACING_SLOW_NS = 20000000;

/* Modulo 2^32 (RFC 1982). */
static bool is_newer(uint32_t timestamp, uint32_t reference) {
    uint32_t ahead = timestamp - reference;
    return ahead > 0 && ahead < 0x80000000;
}

static bool is_empty(const fanout_replay *replay, const fanout_history *history) {
    return replay->cursor > history->highest;
}

static int64_t time_for(const fanout_replay *replay, size_t octets) {
    return (int64_t)octets * 8000000000 / replay->spare_bps;
}

fanout_replay *fanout_replay_new(const fanout_history *history, const fanout_start *start) {
    fanout_replay *replay = malloc(sizeof *replay);
    if (replay == NULL)
        return NULL;
    *replay = (fanout_replay){
        .cursor = fanout_history_number(history, start->first_sequence),
        .empty_from = -1,
        .anchor_ns = start->anchor_ns,
        .due_ns = start->due_ns,
        .spare_bps = start->spare_bps < FANOUT_FAST_SPARE_BPS ? start->spare_bps : FANOUT_FAST_SPARE_BPS,
        .anchor_timestamp = start->anchor_timestamp,
        .timestamp_offset = start->timestamp_offset,
        .last_timestamp = start->last_timestamp,
        .has_last = start->has_last,
    };
    int64_t count = 0, next = replay->cursor;
    size_t octets = 0;
    fanout_frame frame;
    for (; fanout_history_frame(history, next, &frame); next = frame.end) {
        count++;
        octets += frame.octets;
    }
    int64_t window_ns = time_for(replay, octets);
    int64_t most_ns = replay->spare_bps >= FANOUT_FAST_SPARE_BPS ? MAX_SPACING_NS : MAX_SPACING_SLOW_NS;
    if (window_ns < MIN_WINDOW_NS)
        window_ns = MIN_WINDOW_NS;
    replay->spacing_ns = window_ns / (count > 0 ? count : 1);
    if (replay->spacing_ns > most_ns)
        replay->spacing_ns = most_ns;
    return replay;
}

bool fanout_replay_overrun(const fanout_replay *replay, const fanout_history *history) {
    return replay->cursor <= history->highest - FANOUT_HISTORY;
}

int64_t fanout_replay_due_ns(const fanout_replay *replay, const fanout_history *history) {
    fanout_frame frame;
    return fanout_history_frame(history, replay->cursor, &frame) && frame.complete ? replay->due_ns : -1;
}

bool fanout_replay_pop(fanout_replay *replay, const fanout_history *history, int64_t now_ns, fanout_frame *frame,
                       uint32_t *timestamp) {
    if (now_ns < replay->due_ns || !fanout_history_frame(history, replay->cursor, frame) || !frame->complete)
        return false;
    replay->cursor = frame->end;
    if (replay->empty_from >= 0 && replay->empty_from <= frame->first)
        /* The source fell behind the clock since the snapshot: follow it, or it would never be live again. */
        *timestamp = frame->timestamp + replay->timestamp_offset;
    else
        *timestamp = replay->anchor_timestamp +
                     (uint32_t)((now_ns - replay->anchor_ns) * FANOUT_TICKS_PER_MS / 1000000);
    if (replay->empty_from < 0 && is_empty(replay, history))
        replay->empty_from = replay->cursor;
    if (replay->has_last && !is_newer(*timestamp, replay->last_timestamp))
        *timestamp = replay->last_timestamp + FANOUT_MIN_STEP_TICKS;
    replay->last_timestamp = *timestamp;
    replay->has_last = true;
    int64_t pause_ns = time_for(replay, frame->octets);
    replay->due_ns = now_ns + (pause_ns > replay->spacing_ns ? pause_ns : replay->spacing_ns);
    return true;
}

bool fanout_replay_may_go_live(const fanout_replay *replay, const fanout_history *history, uint32_t timestamp) {
    return is_empty(replay, history) && (!replay->has_last || is_newer(timestamp, replay->last_timestamp));
}
