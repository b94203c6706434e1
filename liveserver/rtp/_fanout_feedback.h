/* What a viewer says about its tracks, folded into the fan-out: `feedback.fold`, in native memory. */

#ifndef LIVESERVER_FANOUT_FEEDBACK_H
#define LIVESERVER_FANOUT_FEEDBACK_H

#include "_fanout_core.h"

/* Take in a compound packet in the clear. False: it is malformed, and nothing of it was taken.
 * `wants_picture` is set when the viewer has lost one (PLI, FIR). */
bool fanout_feedback(fanout *self, int64_t session, const uint8_t *data, size_t size, int64_t now_ns,
                     bool *wants_picture);

#endif
