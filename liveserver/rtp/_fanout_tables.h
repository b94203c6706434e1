/* Who is served: the memory behind `_fanout_core.h`, and the numbers by which the caller names it.
 *
 * A table is one array of its rows in the order they came, so that sending walks through memory once. A row
 * that leaves marks its place empty; empty places go when the array is full. Rows without a table wait in a
 * table of their own that no number names.
 *
 * A number is 2^24 x (how many were made before) + place: never given out twice. */

#ifndef LIVESERVER_FANOUT_TABLES_H
#define LIVESERVER_FANOUT_TABLES_H

#include "_fanout_core.h"
#include "_fanout_evidence.h"
#include "_fanout_replay.h"
#include "_fanout_stream.h"
#include "_fanout_window.h"

enum { FANOUT_INLINE_EXTENSION = 12 }; /* octets: a mid of at most 7 characters, as they are in practice */
enum { FANOUT_RTX_BURST_BYTES = 250000, FANOUT_RTX_BYTES_PER_S = FANOUT_FAST_SPARE_BPS / 8 };
enum { FANOUT_STAMPED = 1024 }; /* replayed frames whose timestamps are remembered for RTX */

typedef struct {
    fanout_address address;
    socklen_t address_size;
    uint32_t rtcp_index;
    uint64_t bandwidth_bps;
    fanout_evidence evidence;
    fanout_cipher rtp, rtcp;
    fanout_window *windows[FANOUT_MAX_SOURCES]; /* as long as the session: nothing it sent with is forgotten */
    size_t window_count;
    int64_t *rows;
    size_t row_count, row_room;
} fanout_session;

/* The source timestamp of a replayed frame, and the one it left with. */
typedef struct {
    uint32_t source, sent;
} fanout_stamp;

/* A ring of `room` places; `used` of them, the oldest at `first`. */
typedef struct {
    fanout_stamp *ring;
    size_t room, used, first;
} fanout_stamps;

typedef struct { /* what each packet touches comes first */
    int64_t number; /* 0: the place is empty */
    fanout_session *session;
    fanout_window *window, *rtx_window; /* the session's; rtx_window is NULL without RTX */
    uint64_t *fingerprints;             /* FANOUT_REPEATABLE of them without RTX, else NULL */
    int64_t floor;                      /* lowest index of the present epoch */
    uint64_t packets, octets;
    int64_t last_sent_ns;
    uint32_t ssrc, timestamp_offset, last_timestamp;
    uint16_t sequence_offset, last_sequence;
    union {
        uint8_t inside[FANOUT_INLINE_EXTENSION];
        uint8_t *outside; /* when it is longer */
    } extension;
    uint16_t extension_size;
    bool live;
    uint8_t payload_type, rtx_payload_type;
    fanout_replay *replay; /* while it catches up, else NULL */
    int64_t epoch_start;   /* extended source number the present offsets began with, or -1 */
    fanout_stamps stamps;
    uint64_t replayed, rtx, rtx_unknown, rtx_capped;
    int64_t rtx_budget, rtx_budget_ns;
    fanout_reception reception;
    uint32_t rtx_ssrc;
} fanout_row;

typedef struct {
    int64_t number; /* 0 for the one of the rows that wait */
    uint32_t flags_room, flags_kind;
    fanout_history history;
    fanout_row *rows;
    size_t used, room, empty;
} fanout_table;

typedef enum { FANOUT_NOTHING, FANOUT_SESSION, FANOUT_TABLE, FANOUT_ROW, FANOUT_STREAM } fanout_kind;

typedef struct {
    int64_t number;
    fanout_kind kind;
    uint32_t next_free;
    void *thing;     /* the session, the table, or the row's table */
    size_t position; /* of the row in its table */
} fanout_place;

typedef struct {
    fanout_place *places;
    size_t used, room;
    uint32_t first_free; /* place + 1; 0 for none */
    int64_t made;
    fanout_table waiting;
} fanout_registry;

/* Numbers of things, in the order they were put there. */
typedef struct {
    int64_t *numbers;
    size_t used, room;
} fanout_list;

struct fanout {
    fanout_registry registry;
    fanout_wire wire;
    fanout_stats stats;
    uint64_t *words; /* `Flags.words` */
    uint64_t secret[2];
    fanout_source *sources; /* of the present call */
    size_t source_room;
    fanout_list replaying, lost, streams;
};

void fanout_registry_free(fanout_registry *registry);
/* Free with `fanout_registry_remove` or not at all. The number, or FANOUT_NO_MEMORY. */
int64_t fanout_registry_add(fanout_registry *registry, fanout_kind kind, void *thing);
void fanout_registry_remove(fanout_registry *registry, int64_t number);
fanout_session *fanout_session_of(const fanout_registry *registry, int64_t number);
fanout_table *fanout_table_of(const fanout_registry *registry, int64_t number);
fanout_row *fanout_row_of(const fanout_registry *registry, int64_t number);
fanout_stream *fanout_stream_of(const fanout_registry *registry, int64_t number);
/* The table of an existing row; NULL when it waits for one. */
fanout_table *fanout_table_of_row(const fanout_registry *registry, int64_t number);
/* The session's row that sends with this SSRC, or NULL. */
fanout_row *fanout_row_by_ssrc(const fanout_registry *registry, int64_t session, uint32_t ssrc);
/* 0 or FANOUT_NO_MEMORY. */
int fanout_list_add(fanout_list *list, int64_t number);
/* An array of at least `needed` elements, twice as long as before. NULL: no memory, and the old one stays. */
void *fanout_grown(void *array, size_t *room, size_t needed, size_t element);

void fanout_table_free(fanout_table *table);
void fanout_session_free(fanout_session *session);
/* The SSRC's window, the same one when a row comes back with it; NULL and an error when there is none. */
fanout_window *fanout_session_window(fanout_session *session, uint32_t ssrc, int *error);
int fanout_session_keep(fanout_session *session, int64_t row);
void fanout_session_drop(fanout_session *session, int64_t row);

/* Make room for one row more; rows of the table may move. 0 or FANOUT_NO_MEMORY. */
int fanout_table_reserve(fanout_registry *registry, fanout_table *table);
/* Put a copy of `row`, which has its number, at the end of a table with room for it. */
void fanout_table_append(fanout_registry *registry, fanout_table *table, const fanout_row *row);
/* Move the row out of its table. */
void fanout_table_take(fanout_registry *registry, fanout_row *row, fanout_row *into);
void fanout_row_free(fanout_row *row);
/* The row neither is live nor catches up. */
void fanout_row_stop(fanout_row *row);
void fanout_stamps_clear(fanout_stamps *stamps);
/* Forgets the oldest when there are FANOUT_STAMPED, or no memory for one more. */
void fanout_stamps_add(fanout_stamps *stamps, uint32_t source, uint32_t sent);
/* What `source` left as, else `otherwise`. */
uint32_t fanout_stamps_find(const fanout_stamps *stamps, uint32_t source, uint32_t otherwise);

static inline const uint8_t *fanout_row_extension(const fanout_row *row) {
    return row->extension_size <= FANOUT_INLINE_EXTENSION ? row->extension.inside : row->extension.outside;
}

#endif
