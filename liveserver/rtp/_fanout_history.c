#include "_fanout_history.h"

#include <stdlib.h>
#include <string.h>

void fanout_history_clear(fanout_history *history) {
    if (history->kept != NULL)
        for (size_t place = 0; place < FANOUT_HISTORY; place++)
            free(history->kept[place].memory);
    free(history->kept);
    history->kept = NULL;
    history->highest = -1;
}

static int64_t unwrap(uint16_t sequence, int64_t reference) {
    uint16_t distance = (uint16_t)(sequence - (uint16_t)reference);
    return reference + (distance < 0x8000 ? distance : (int64_t)distance - 0x10000);
}

int64_t fanout_history_number(const fanout_history *history, uint16_t sequence) {
    /* The first packet starts one cycle up, so that those it overtook have numbers too. */
    return history->highest >= 0 ? unwrap(sequence, history->highest) : 0x10000 + (int64_t)sequence;
}

static fanout_kept *place_of(const fanout_history *history, int64_t number) {
    return &history->kept[number & (FANOUT_HISTORY - 1)];
}

static bool make_room(fanout_kept *place, size_t size) {
    if (place->room >= size)
        return true;
    uint8_t *memory = realloc(place->memory, size);
    if (memory == NULL)
        return false;
    place->memory = memory;
    place->room = size;
    return true;
}

void fanout_history_add(fanout_history *history, const fanout_source *source) {
    if (history->kept == NULL) {
        history->kept = calloc(FANOUT_HISTORY, sizeof *history->kept);
        if (history->kept == NULL)
            return;
        for (size_t place = 0; place < FANOUT_HISTORY; place++)
            history->kept[place].number = -1;
    }
    int64_t number = fanout_history_number(history, source->sequence);
    fanout_kept *place = place_of(history, number);
    if (number <= history->highest - FANOUT_HISTORY || place->number == number)
        return;
    place->number = -1; /* what lay here is gone, whether or not there is memory for the new one */
    if (!make_room(place, source->packet.size))
        return;
    memcpy(place->memory, source->packet.data, source->packet.size);
    place->source = *source;
    place->source.packet.data = place->memory;
    place->source.payload = place->memory + (source->payload - source->packet.data);
    place->source.pad = 0;
    place->number = number;
    if (number > history->highest)
        history->highest = number;
}

fanout_source *fanout_history_get(const fanout_history *history, int64_t number) {
    if (history->kept == NULL)
        return NULL;
    fanout_kept *place = place_of(history, number);
    return place->number == number ? &place->source : NULL;
}

bool fanout_history_frame(const fanout_history *history, int64_t number, fanout_frame *frame) {
    memset(frame, 0, sizeof *frame);
    for (; number <= history->highest; number++) {
        const fanout_source *source = fanout_history_get(history, number);
        if (source == NULL)
            continue;
        if (frame->count > 0 && source->timestamp != frame->timestamp) {
            frame->end = number;
            frame->complete = true;
            return true;
        }
        if (frame->count++ == 0) {
            frame->first = number;
            frame->timestamp = source->timestamp;
        }
        frame->octets += source->packet.size;
        frame->complete = frame->complete || source->marker;
    }
    frame->end = number;
    return frame->count > 0;
}
