#include "_fanout_core.h"

#include <stdlib.h>
#include <string.h>

#include "_fanout_tables.h"

fanout *fanout_new(int fd, uint64_t *words, const uint64_t secret[2]) {
    fanout *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->words = words;
    memcpy(self->secret, secret, sizeof self->secret);
    if (fanout_wire_open(&self->wire, fd))
        return self;
    free(self);
    return NULL;
}

void fanout_close(fanout *self) {
    self->wire.fd = -1;
}

void fanout_free(fanout *self) {
    fanout_registry_free(&self->registry);
    fanout_wire_close(&self->wire);
    free(self->sources);
    free(self->replaying.numbers);
    free(self->lost.numbers);
    free(self->streams.numbers);
    free(self);
}

const fanout_stats *fanout_counts(const fanout *self) {
    return &self->stats;
}

bool fanout_segments(const fanout *self) {
    return self->wire.segments;
}

/* ---- sessions */

int64_t fanout_add_session(fanout *self, int profile, const fanout_keys *rtp, const fanout_keys *rtcp,
                           const fanout_address *address, socklen_t address_size) {
    fanout_session *session = calloc(1, sizeof *session);
    if (session == NULL)
        return FANOUT_NO_MEMORY;
    session->address = *address;
    session->address_size = address_size;
    session->evidence.interval_ns = FANOUT_FIRST_INTERVAL_NS;
    int64_t number = FANOUT_NO_MEMORY;
    if (fanout_cipher_open(&session->rtp, profile, rtp->key, rtp->salt, rtp->auth_key) &&
        fanout_cipher_open(&session->rtcp, profile, rtcp->key, rtcp->salt, rtcp->auth_key))
        number = fanout_registry_add(&self->registry, FANOUT_SESSION, session);
    if (number < 0)
        fanout_session_free(session);
    return number;
}

void fanout_move_session(fanout *self, int64_t session, const fanout_address *address, socklen_t address_size) {
    fanout_session *found = fanout_session_of(&self->registry, session);
    if (found != NULL) {
        found->address = *address;
        found->address_size = address_size;
    }
}

void fanout_remove_session(fanout *self, int64_t session) {
    fanout_session *found = fanout_session_of(&self->registry, session);
    if (found == NULL)
        return;
    while (found->row_count > 0)
        fanout_remove_row(self, found->rows[found->row_count - 1]);
    fanout_registry_remove(&self->registry, session);
    fanout_session_free(found);
}

bool fanout_has_session(fanout *self, int64_t session) {
    return fanout_session_of(&self->registry, session) != NULL;
}

/* ---- tables */

int64_t fanout_add_table(fanout *self, uint32_t room, uint32_t kind) {
    fanout_table *table = calloc(1, sizeof *table);
    if (table == NULL)
        return FANOUT_NO_MEMORY;
    table->flags_room = room;
    table->flags_kind = kind;
    table->history.highest = -1;
    int64_t number = fanout_registry_add(&self->registry, FANOUT_TABLE, table);
    if (number < 0)
        free(table);
    else
        table->number = number;
    return number;
}

static int move(fanout *self, int64_t row, fanout_table *table) {
    fanout_row moved;
    if (fanout_table_reserve(&self->registry, table) < 0)
        return FANOUT_NO_MEMORY;
    fanout_table_take(&self->registry, fanout_row_of(&self->registry, row), &moved);
    free(moved.replay);
    moved.replay = NULL;
    fanout_table_append(&self->registry, table, &moved);
    return 0;
}

void fanout_clear_table(fanout *self, int64_t table) {
    fanout_table *found = fanout_table_of(&self->registry, table);
    if (found == NULL)
        return;
    fanout_history_clear(&found->history);
    for (size_t n = 0; n < found->used; n++)
        fanout_row_stop(&found->rows[n]);
}

int fanout_remove_table(fanout *self, int64_t table) {
    fanout_table *found = fanout_table_of(&self->registry, table);
    if (found == NULL)
        return 0;
    for (size_t n = 0; n < found->used; n++) {
        if (found->rows[n].number == 0)
            continue;
        found->rows[n].live = false;
        if (move(self, found->rows[n].number, &self->registry.waiting) < 0)
            return FANOUT_NO_MEMORY; /* called again, it goes on */
    }
    fanout_registry_remove(&self->registry, table);
    fanout_table_free(found);
    return 0;
}

/* ---- rows */

bool fanout_may_add(fanout *self, int64_t session, uint32_t ssrc, uint32_t rtx_ssrc) {
    fanout_session *owner = fanout_session_of(&self->registry, session);
    for (size_t n = 0; n < owner->row_count; n++) {
        const fanout_row *row = fanout_row_of(&self->registry, owner->rows[n]);
        const uint32_t taken[] = {row->ssrc, row->rtx_ssrc};
        for (int which = 0; which < 2; which++)
            if (taken[which] != 0 && (taken[which] == ssrc || taken[which] == rtx_ssrc))
                return false;
    }
    return ssrc != rtx_ssrc;
}

static int describe(fanout_row *row, fanout_session *owner, const fanout_track *track) {
    int error = 0;
    row->session = owner;
    row->ssrc = track->ssrc;
    row->rtx_ssrc = track->rtx_ssrc;
    row->payload_type = track->payload_type;
    row->rtx_payload_type = track->rtx_payload_type;
    row->epoch_start = -1;
    row->rtx_budget = FANOUT_RTX_BURST_BYTES;
    row->window = fanout_session_window(owner, track->ssrc, &error);
    if (row->window == NULL)
        return error;
    if (track->rtx_ssrc != 0) {
        row->rtx_window = fanout_session_window(owner, track->rtx_ssrc, &error);
        if (row->rtx_window == NULL)
            return error;
    } else {
        row->fingerprints = calloc(FANOUT_REPEATABLE, sizeof *row->fingerprints);
        if (row->fingerprints == NULL)
            return FANOUT_NO_MEMORY;
    }
    uint8_t *extension = row->extension.inside;
    if (track->extension_size > FANOUT_INLINE_EXTENSION)
        extension = row->extension.outside = malloc(track->extension_size);
    if (extension == NULL)
        return FANOUT_NO_MEMORY;
    row->extension_size = (uint16_t)track->extension_size;
    memcpy(extension, track->extension, track->extension_size);
    return 0;
}

int64_t fanout_add_row(fanout *self, int64_t table, int64_t session, const fanout_track *track) {
    fanout_session *owner = fanout_session_of(&self->registry, session);
    fanout_table *target = fanout_table_of(&self->registry, table);
    fanout_row row = {0};
    if (target == NULL)
        target = &self->registry.waiting;
    int error = describe(&row, owner, track);
    if (error == 0)
        error = fanout_table_reserve(&self->registry, target);
    if (error == 0) {
        row.number = fanout_registry_add(&self->registry, FANOUT_ROW, target);
        error = row.number < 0 ? FANOUT_NO_MEMORY : fanout_session_keep(owner, row.number);
        if (error != 0 && row.number > 0)
            fanout_registry_remove(&self->registry, row.number);
    }
    if (error != 0) {
        fanout_row_free(&row);
        return error;
    }
    fanout_table_append(&self->registry, target, &row);
    return row.number;
}

void fanout_set_live(fanout *self, int64_t row, bool live) {
    fanout_row *found = fanout_row_of(&self->registry, row);
    if (found == NULL)
        return;
    fanout_row_stop(found);
    found->live = live && fanout_table_of_row(&self->registry, row) != NULL;
}

bool fanout_is_live(const fanout *self, int64_t row) {
    const fanout_row *found = fanout_row_of(&self->registry, row);
    return found != NULL && found->live;
}

bool fanout_is_replaying(const fanout *self, int64_t row) {
    const fanout_row *found = fanout_row_of(&self->registry, row);
    return found != NULL && found->replay != NULL;
}

void fanout_rebase(fanout *self, int64_t row, uint16_t sequence_offset, uint32_t timestamp_offset,
                   uint8_t payload_type, uint8_t rtx_payload_type, int64_t first_sequence) {
    fanout_row *found = fanout_row_of(&self->registry, row);
    if (found == NULL)
        return;
    found->sequence_offset = sequence_offset;
    found->timestamp_offset = timestamp_offset;
    found->payload_type = payload_type;
    found->rtx_payload_type = rtx_payload_type;
    found->floor = 0;
    found->epoch_start = -1;
    fanout_stamps_clear(&found->stamps);
    if (first_sequence >= 0) {
        const fanout_table *table = fanout_table_of_row(&self->registry, row);
        if (table != NULL)
            found->epoch_start = fanout_history_number(&table->history, (uint16_t)first_sequence);
        int64_t first = fanout_window_guess(found->window, (uint16_t)(first_sequence + sequence_offset));
        found->floor = first > 0 ? first : 0;
    }
}

int fanout_move_row(fanout *self, int64_t row, int64_t table) {
    fanout_table *target = fanout_table_of(&self->registry, table);
    if (target == NULL || fanout_row_of(&self->registry, row) == NULL)
        return 0;
    return move(self, row, target);
}

void fanout_remove_row(fanout *self, int64_t row) {
    fanout_row *found = fanout_row_of(&self->registry, row);
    if (found == NULL)
        return;
    fanout_row removed;
    fanout_table_take(&self->registry, found, &removed);
    fanout_registry_remove(&self->registry, row);
    fanout_session_drop(removed.session, row);
    fanout_row_free(&removed);
}

fanout_counters fanout_count(const fanout *self, int64_t row) {
    const fanout_row *found = fanout_row_of(&self->registry, row);
    if (found == NULL)
        return (fanout_counters){0};
    return (fanout_counters){
        .packets = found->packets,
        .octets = found->octets,
        .last_sequence = found->last_sequence,
        .last_timestamp = found->last_timestamp,
        .last_sent_ns = found->last_sent_ns,
        .replayed = found->replayed,
        .rtx = found->rtx,
        .rtx_unknown = found->rtx_unknown,
        .rtx_capped = found->rtx_capped,
        .reported_ns = found->reception.reported_ns,
        .fraction_lost = found->reception.fraction_lost,
        .lost = found->reception.lost,
        .highest_sequence = found->reception.highest_sequence,
        .jitter = found->reception.jitter,
    };
}

void fanout_reported(fanout *self, int64_t session, uint32_t ssrc, const fanout_reception *reception) {
    fanout_row *found = fanout_row_by_ssrc(&self->registry, session, ssrc);
    if (found == NULL)
        return;
    bool moved = found->reception.reported_ns == 0 || found->reception.highest_sequence != reception->highest_sequence;
    if (moved && found->packets > 0 && fanout_is_recent(found->last_sequence, reception->highest_sequence))
        fanout_evidence_take(&found->session->evidence, reception->reported_ns);
    found->reception = *reception;
}

size_t fanout_receptions(fanout *self, int64_t now_ns, fanout_edge *edges, size_t room, size_t *from) {
    size_t count = 0;
    for (; *from < self->registry.used && count < room; (*from)++) {
        const fanout_place *place = &self->registry.places[*from];
        if (place->kind != FANOUT_SESSION)
            continue;
        fanout_session *session = place->thing;
        fanout_edge *edge = &edges[count];
        if (fanout_evidence_edge(&session->evidence, now_ns, &edge->receives, &edge->at_ns)) {
            edge->session = place->number;
            count++;
        }
    }
    return count;
}

void fanout_estimated(fanout *self, int64_t session, uint64_t bitrate_bps) {
    fanout_session *found = fanout_session_of(&self->registry, session);
    if (found != NULL)
        found->bandwidth_bps = bitrate_bps;
}

uint64_t fanout_bandwidth_bps(const fanout *self, int64_t session) {
    const fanout_session *found = fanout_session_of(&self->registry, session);
    return found != NULL ? found->bandwidth_bps : 0;
}

/* ---- streams */

int64_t fanout_add_stream(fanout *self, int fd) {
    fanout_stream *stream = calloc(1, sizeof *stream);
    if (stream == NULL)
        return FANOUT_NO_MEMORY;
    stream->fd = fd;
    int64_t number = fanout_registry_add(&self->registry, FANOUT_STREAM, stream);
    if (number >= 0 && fanout_list_add(&self->streams, number) < 0) {
        fanout_registry_remove(&self->registry, number);
        number = FANOUT_NO_MEMORY;
    }
    if (number < 0)
        free(stream);
    return number;
}

int fanout_remove_stream(fanout *self, int64_t stream) {
    fanout_stream *found = fanout_stream_of(&self->registry, stream);
    if (found == NULL)
        return -1;
    int fd = found->fd;
    fanout_registry_remove(&self->registry, stream);
    fanout_stream_free(found);
    for (size_t n = 0; n < self->streams.used; n++)
        if (self->streams.numbers[n] == stream)
            self->streams.numbers[n] = self->streams.numbers[--self->streams.used];
    return fd;
}
