#include "_fanout_tables.h"

#include <stdlib.h>
#include <string.h>

enum { PLACE_BITS = 24 };
#define MAX_PLACES ((size_t)1 << PLACE_BITS)

void *fanout_grown(void *array, size_t *room, size_t needed, size_t element) {
    size_t wanted = *room > 0 ? *room : 8;
    while (wanted < needed)
        wanted *= 2;
    if (wanted == *room)
        return array;
    void *made = realloc(array, wanted * element);
    if (made != NULL)
        *room = wanted;
    return made;
}

static fanout_place *place_of(const fanout_registry *registry, int64_t number, fanout_kind kind) {
    size_t which = (size_t)number & (MAX_PLACES - 1);
    if (number <= 0 || which >= registry->used)
        return NULL;
    fanout_place *place = &registry->places[which];
    return place->number == number && place->kind == kind ? place : NULL;
}

int64_t fanout_registry_add(fanout_registry *registry, fanout_kind kind, void *thing) {
    size_t which;
    if (registry->first_free > 0) {
        which = registry->first_free - 1;
        registry->first_free = registry->places[which].next_free;
    } else {
        if (registry->used == MAX_PLACES)
            return FANOUT_NO_MEMORY;
        fanout_place *places = fanout_grown(registry->places, &registry->room, registry->used + 1, sizeof *places);
        if (places == NULL)
            return FANOUT_NO_MEMORY;
        registry->places = places;
        which = registry->used++;
    }
    int64_t number = (++registry->made << PLACE_BITS) | (int64_t)which;
    registry->places[which] = (fanout_place){.number = number, .kind = kind, .thing = thing};
    return number;
}

void fanout_registry_remove(fanout_registry *registry, int64_t number) {
    size_t which = (size_t)number & (MAX_PLACES - 1);
    registry->places[which] = (fanout_place){.next_free = registry->first_free};
    registry->first_free = (uint32_t)which + 1;
}

fanout_session *fanout_session_of(const fanout_registry *registry, int64_t number) {
    fanout_place *place = place_of(registry, number, FANOUT_SESSION);
    return place != NULL ? place->thing : NULL;
}

fanout_table *fanout_table_of(const fanout_registry *registry, int64_t number) {
    fanout_place *place = place_of(registry, number, FANOUT_TABLE);
    return place != NULL ? place->thing : NULL;
}

fanout_row *fanout_row_of(const fanout_registry *registry, int64_t number) {
    fanout_place *place = place_of(registry, number, FANOUT_ROW);
    return place != NULL ? &((fanout_table *)place->thing)->rows[place->position] : NULL;
}

fanout_stream *fanout_stream_of(const fanout_registry *registry, int64_t number) {
    fanout_place *place = place_of(registry, number, FANOUT_STREAM);
    return place != NULL ? place->thing : NULL;
}

fanout_table *fanout_table_of_row(const fanout_registry *registry, int64_t number) {
    fanout_table *table = place_of(registry, number, FANOUT_ROW)->thing;
    return table->number != 0 ? table : NULL;
}

fanout_row *fanout_row_by_ssrc(const fanout_registry *registry, int64_t session, uint32_t ssrc) {
    const fanout_session *owner = fanout_session_of(registry, session);
    for (size_t n = 0; owner != NULL && n < owner->row_count; n++) {
        fanout_row *row = fanout_row_of(registry, owner->rows[n]);
        if (row->ssrc == ssrc)
            return row;
    }
    return NULL;
}

int fanout_list_add(fanout_list *list, int64_t number) {
    int64_t *numbers = fanout_grown(list->numbers, &list->room, list->used + 1, sizeof *numbers);
    if (numbers == NULL)
        return FANOUT_NO_MEMORY;
    list->numbers = numbers;
    numbers[list->used++] = number;
    return 0;
}

static void place_row(fanout_registry *registry, fanout_table *table, size_t position) {
    fanout_place *place = &registry->places[(size_t)table->rows[position].number & (MAX_PLACES - 1)];
    place->thing = table;
    place->position = position;
}

/* Close the gaps, and tell the rows behind them where they are now. */
static void compact(fanout_registry *registry, fanout_table *table) {
    size_t kept = 0;
    for (size_t position = 0; position < table->used; position++) {
        if (table->rows[position].number == 0)
            continue;
        if (kept != position) {
            table->rows[kept] = table->rows[position];
            place_row(registry, table, kept);
        }
        kept++;
    }
    table->used = kept;
    table->empty = 0;
}

int fanout_table_reserve(fanout_registry *registry, fanout_table *table) {
    if (table->used == table->room && table->empty > table->used / 4)
        compact(registry, table);
    fanout_row *rows = fanout_grown(table->rows, &table->room, table->used + 1, sizeof *rows);
    if (rows == NULL)
        return FANOUT_NO_MEMORY;
    table->rows = rows;
    return 0;
}

void fanout_table_append(fanout_registry *registry, fanout_table *table, const fanout_row *row) {
    table->rows[table->used] = *row;
    place_row(registry, table, table->used++);
}

void fanout_table_take(fanout_registry *registry, fanout_row *row, fanout_row *into) {
    fanout_place *place = &registry->places[(size_t)row->number & (MAX_PLACES - 1)];
    fanout_table *table = place->thing;
    *into = *row;
    memset(row, 0, sizeof *row);
    table->empty++;
}

void fanout_row_stop(fanout_row *row) {
    row->live = false;
    free(row->replay);
    row->replay = NULL;
}

void fanout_stamps_clear(fanout_stamps *stamps) {
    free(stamps->ring);
    *stamps = (fanout_stamps){0};
}

void fanout_stamps_add(fanout_stamps *stamps, uint32_t source, uint32_t sent) {
    if (stamps->used == stamps->room && stamps->used < FANOUT_STAMPED) {
        fanout_stamp *ring = fanout_grown(stamps->ring, &stamps->room, stamps->used + 1, sizeof *ring);
        if (ring == NULL && stamps->used == 0)
            return;
        if (ring != NULL)
            stamps->ring = ring; /* it has not wrapped yet: `first` is 0 */
    }
    if (stamps->used == stamps->room) {
        stamps->ring[stamps->first] = (fanout_stamp){source, sent};
        stamps->first = (stamps->first + 1) % stamps->room;
        return;
    }
    stamps->ring[stamps->used++] = (fanout_stamp){source, sent};
}

uint32_t fanout_stamps_find(const fanout_stamps *stamps, uint32_t source, uint32_t otherwise) {
    for (size_t n = stamps->used; n > 0; n--) { /* the newest first */
        const fanout_stamp *stamp = &stamps->ring[(stamps->first + n - 1) % stamps->room];
        if (stamp->source == source)
            return stamp->sent;
    }
    return otherwise;
}

void fanout_row_free(fanout_row *row) {
    free(row->replay);
    fanout_stamps_clear(&row->stamps);
    free(row->fingerprints);
    if (row->extension_size > FANOUT_INLINE_EXTENSION)
        free(row->extension.outside);
}

void fanout_table_free(fanout_table *table) {
    fanout_history_clear(&table->history);
    free(table->rows);
    free(table);
}

void fanout_session_free(fanout_session *session) {
    for (size_t n = 0; n < session->window_count; n++)
        free(session->windows[n]);
    fanout_cipher_close(&session->rtp);
    fanout_cipher_close(&session->rtcp);
    free(session->rows);
    free(session);
}

fanout_window *fanout_session_window(fanout_session *session, uint32_t ssrc, int *error) {
    for (size_t n = 0; n < session->window_count; n++)
        if (session->windows[n]->ssrc == ssrc)
            return session->windows[n];
    if (session->window_count == FANOUT_MAX_SOURCES) {
        *error = FANOUT_SOURCES;
        return NULL;
    }
    fanout_window *made = calloc(1, sizeof *made);
    if (made == NULL) {
        *error = FANOUT_NO_MEMORY;
        return NULL;
    }
    made->highest = -1;
    made->ssrc = ssrc;
    return session->windows[session->window_count++] = made;
}

int fanout_session_keep(fanout_session *session, int64_t row) {
    int64_t *rows = fanout_grown(session->rows, &session->row_room, session->row_count + 1, sizeof *rows);
    if (rows == NULL)
        return FANOUT_NO_MEMORY;
    session->rows = rows;
    rows[session->row_count++] = row;
    return 0;
}

void fanout_session_drop(fanout_session *session, int64_t row) {
    for (size_t n = 0; n < session->row_count; n++)
        if (session->rows[n] == row) {
            session->rows[n] = session->rows[--session->row_count];
            return;
        }
}

void fanout_registry_free(fanout_registry *registry) {
    for (size_t n = 0; n < registry->used; n++) {
        fanout_place *place = &registry->places[n];
        if (place->kind == FANOUT_ROW)
            fanout_row_free(fanout_row_of(registry, place->number));
    }
    for (size_t n = 0; n < registry->used; n++) {
        fanout_place *place = &registry->places[n];
        if (place->kind == FANOUT_SESSION)
            fanout_session_free(place->thing);
        if (place->kind == FANOUT_STREAM)
            fanout_stream_free(place->thing);
        if (place->kind == FANOUT_TABLE)
            fanout_table_free(place->thing);
    }
    free(registry->waiting.rows);
    free(registry->places);
}
