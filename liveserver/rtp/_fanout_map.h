/* A map from short octet strings to pointers: open addressing, keyed hashing, so that no peer chooses what
 * collides. Not more than half full. */

#ifndef LIVESERVER_FANOUT_MAP_H
#define LIVESERVER_FANOUT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FANOUT_MAX_KEY = 32 };

typedef struct {
    uint8_t octets[FANOUT_MAX_KEY]; /* zero behind `size` */
    size_t size;
} fanout_key;

typedef struct {
    fanout_key key;
    void *value; /* NULL: the place is free */
} fanout_entry;

/* All zero but `secret` is an empty map. */
typedef struct {
    uint64_t secret[2];
    fanout_entry *entries;
    size_t room, used;
} fanout_map;

void fanout_map_free(fanout_map *map);
void *fanout_map_get(const fanout_map *map, const fanout_key *key);
/* Set or replace; false: no memory. */
bool fanout_map_put(fanout_map *map, const fanout_key *key, void *value);
void fanout_map_remove(fanout_map *map, const fanout_key *key);

#endif
