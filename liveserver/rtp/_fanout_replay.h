/* Catching up: `replay.Replay`, in native memory. All times are monotonic nanoseconds. */

#ifndef LIVESERVER_FANOUT_REPLAY_H
#define LIVESERVER_FANOUT_REPLAY_H

#include "_fanout_history.h"

enum { FANOUT_TICKS_PER_MS = 90, FANOUT_MIN_STEP_TICKS = 45, FANOUT_FAST_SPARE_BPS = 12000000 };

/* What `replay.Replay` is made with. */
typedef struct {
    uint16_t first_sequence;
    uint32_t anchor_timestamp, timestamp_offset, last_timestamp;
    bool has_last;
    int64_t anchor_ns, due_ns, spare_bps;
} fanout_start;

typedef struct {
    int64_t cursor, empty_from, anchor_ns, due_ns, spacing_ns, spare_bps;
    uint32_t anchor_timestamp, timestamp_offset, last_timestamp;
    bool has_last;
} fanout_replay;

/* NULL: no memory. The caller frees it. */
fanout_replay *fanout_replay_new(const fanout_history *history, const fanout_start *start);
bool fanout_replay_overrun(const fanout_replay *replay, const fanout_history *history);
/* When a frame is next due, or -1 while it waits for packets. */
int64_t fanout_replay_due_ns(const fanout_replay *replay, const fanout_history *history);
/* The next frame and the timestamp that all its packets carry, when it is due. */
bool fanout_replay_pop(fanout_replay *replay, const fanout_history *history, int64_t now_ns, fanout_frame *frame,
                       uint32_t *timestamp);
/* Whether a new live frame (with the viewer's offset applied) may be sent as it is. */
bool fanout_replay_may_go_live(const fanout_replay *replay, const fanout_history *history, uint32_t timestamp);

#endif
