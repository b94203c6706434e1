#include "_fanout_map.h"

#include <stdlib.h>
#include <string.h>

#include "_fanout_siphash.h"

enum { FIRST_ROOM = 64 };

void fanout_map_free(fanout_map *map) {
    free(map->entries);
    map->entries = NULL;
    map->room = map->used = 0;
}

static size_t home(const fanout_map *map, const fanout_key *key) {
    return fanout_siphash(map->secret, key->octets, key->size) & (map->room - 1);
}

static bool is_same(const fanout_key *one, const fanout_key *other) {
    return one->size == other->size && memcmp(one->octets, other->octets, one->size) == 0;
}

/* The entry of the key, or the free one where it belongs. There is always a free one. */
static fanout_entry *place_of(const fanout_map *map, const fanout_key *key) {
    size_t place = home(map, key);
    while (map->entries[place].value != NULL && !is_same(&map->entries[place].key, key))
        place = (place + 1) & (map->room - 1);
    return &map->entries[place];
}

void *fanout_map_get(const fanout_map *map, const fanout_key *key) {
    return map->room > 0 ? place_of(map, key)->value : NULL;
}

static bool grow(fanout_map *map) {
    fanout_map grown = *map;
    grown.room = map->room > 0 ? 2 * map->room : FIRST_ROOM;
    grown.entries = calloc(grown.room, sizeof *grown.entries);
    if (grown.entries == NULL)
        return false;
    for (size_t place = 0; place < map->room; place++)
        if (map->entries[place].value != NULL)
            *place_of(&grown, &map->entries[place].key) = map->entries[place];
    free(map->entries);
    *map = grown;
    return true;
}

bool fanout_map_put(fanout_map *map, const fanout_key *key, void *value) {
    if (2 * (map->used + 1) > map->room && !grow(map))
        return false;
    fanout_entry *entry = place_of(map, key);
    map->used += entry->value == NULL;
    *entry = (fanout_entry){*key, value};
    return true;
}

void fanout_map_remove(fanout_map *map, const fanout_key *key) {
    if (map->room == 0)
        return;
    fanout_entry *entry = place_of(map, key);
    if (entry->value == NULL)
        return;
    entry->value = NULL;
    map->used--;
    /* What was pushed on by this entry moves back, or it would not be found any more. */
    for (size_t place = (size_t)(entry - map->entries + 1) & (map->room - 1); map->entries[place].value != NULL;
         place = (place + 1) & (map->room - 1)) {
        fanout_entry moved = map->entries[place];
        map->entries[place].value = NULL;
        *place_of(map, &moved.key) = moved;
    }
}
