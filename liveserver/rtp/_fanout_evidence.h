/* Whether a viewer really receives: `evidence.Evidence`, in native memory. */

#ifndef LIVESERVER_FANOUT_EVIDENCE_H
#define LIVESERVER_FANOUT_EVIDENCE_H

#include <stdbool.h>
#include <stdint.h>

#define FANOUT_FIRST_INTERVAL_NS INT64_C(2500000000)
#define FANOUT_LONGEST_INTERVAL_NS INT64_C(7500000000)
#define FANOUT_LEAST_SILENCE_NS INT64_C(4000000000)
enum { FANOUT_RECENT = 4096, FANOUT_REPORTS_MISSED = 3, FANOUT_SLOWLY = 4 };

typedef struct {
    int64_t last_ns, since_ns, interval_ns;
    bool told;
} fanout_evidence;

static inline bool fanout_is_recent(uint16_t last_sent, uint32_t highest) {
    return (uint16_t)(last_sent - highest) < FANOUT_RECENT;
}

static inline int64_t fanout_silence_ns(const fanout_evidence *evidence) {
    int64_t missed = FANOUT_REPORTS_MISSED * evidence->interval_ns;
    return missed > FANOUT_LEAST_SILENCE_NS ? missed : FANOUT_LEAST_SILENCE_NS;
}

static inline void fanout_evidence_take(fanout_evidence *evidence, int64_t now_ns) {
    int64_t passed = now_ns - evidence->last_ns;
    if (evidence->last_ns == 0)
        evidence->since_ns = now_ns;
    else if (passed > fanout_silence_ns(evidence))
        evidence->since_ns = now_ns - evidence->interval_ns;
    if (evidence->last_ns != 0 && passed > 0) {
        int64_t sample = passed < FANOUT_LONGEST_INTERVAL_NS ? passed : FANOUT_LONGEST_INTERVAL_NS;
        int64_t average = evidence->interval_ns - evidence->interval_ns / FANOUT_SLOWLY + sample / FANOUT_SLOWLY;
        evidence->interval_ns = sample > average ? sample : average;
    }
    evidence->last_ns = now_ns;
}

/* Whether `receives` and `at_ns` hold news. */
static inline bool fanout_evidence_edge(fanout_evidence *evidence, int64_t now_ns, bool *receives, int64_t *at_ns) {
    *receives = evidence->last_ns > 0 && now_ns - evidence->last_ns <= fanout_silence_ns(evidence);
    if (*receives == evidence->told)
        return false;
    evidence->told = *receives;
    *at_ns = *receives ? evidence->since_ns : evidence->last_ns;
    return true;
}

#endif
