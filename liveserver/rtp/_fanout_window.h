/* Which of the newest 1,024 indices of an outgoing SSRC were used: `srtp.IndexWindow`, in native memory.
 *
 * One thread only. */

#ifndef LIVESERVER_FANOUT_WINDOW_H
#define LIVESERVER_FANOUT_WINDOW_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define FANOUT_WINDOW 1024 /* indices; a power of two, and a multiple of 64 */

/* The bit of `index` is at `index` modulo FANOUT_WINDOW; bits of indices above `highest` are stale. */
typedef struct {
    int64_t highest; /* -1 before the first */
    uint64_t seen[FANOUT_WINDOW / 64];
    uint32_t ssrc;
} fanout_window;

static inline uint64_t *fanout_window_word(fanout_window *window, int64_t index) {
    return &window->seen[(index & (FANOUT_WINDOW - 1)) >> 6];
}

static inline uint64_t fanout_window_bit(int64_t index) {
    return (uint64_t)1 << (index & 63);
}

/* The index that a 16-bit sequence number most likely has: the nearest to `highest` (RFC 3711 3.3.1).
 * Negative for a number from before the first rollover counter. */
static inline int64_t fanout_window_guess(const fanout_window *window, uint16_t sequence) {
    if (window->highest < 0)
        return sequence;
    uint16_t distance = (uint16_t)(sequence - (uint16_t)window->highest);
    return window->highest + (distance < 0x8000 ? distance : (int64_t)distance - 0x10000);
}

static inline void fanout_window_mark(fanout_window *window, int64_t index) {
    int64_t ahead = index - window->highest;
    if (ahead >= FANOUT_WINDOW) {
        memset(window->seen, 0, sizeof window->seen);
    } else {
        for (int64_t skipped = window->highest + 1; skipped < index; skipped++)
            *fanout_window_word(window, skipped) &= ~fanout_window_bit(skipped);
    }
    *fanout_window_word(window, index) |= fanout_window_bit(index);
    if (ahead > 0)
        window->highest = index;
}

/* The index of an outgoing sequence number, handed out once: -1 if it was, is too old or below `floor`. */
static inline int64_t fanout_window_take(fanout_window *window, uint16_t sequence, int64_t floor) {
    int64_t index = fanout_window_guess(window, sequence);
    int64_t behind = window->highest - index;
    if (index < floor || index < 0 || behind >= FANOUT_WINDOW)
        return -1;
    if (behind >= 0 && (*fanout_window_word(window, index) & fanout_window_bit(index)))
        return -1;
    fanout_window_mark(window, index);
    return index;
}

#endif
