#include "_fanout_peers.h"

#include <stdlib.h>
#include <string.h>

static void append(fanout_key *key, const void *octets, size_t size) {
    memcpy(key->octets + key->size, octets, size);
    key->size += size;
}

void fanout_key_of(const fanout_address *address, fanout_key *key) {
    memset(key, 0, sizeof *key);
    append(key, &address->any.sa_family, sizeof address->any.sa_family);
    if (address->any.sa_family == AF_INET) {
        append(key, &address->v4.sin_port, sizeof address->v4.sin_port);
        append(key, &address->v4.sin_addr, sizeof address->v4.sin_addr);
    } else if (address->any.sa_family == AF_INET6) {
        append(key, &address->v6.sin6_port, sizeof address->v6.sin6_port);
        append(key, &address->v6.sin6_addr, sizeof address->v6.sin6_addr);
        append(key, &address->v6.sin6_scope_id, sizeof address->v6.sin6_scope_id);
    } else {
        append(key, &address->stream.number, sizeof address->stream.number);
    }
}

static void free_seen(fanout_seen *seen) {
    if (seen == NULL)
        return;
    for (size_t n = 0; n < seen->count; n++)
        free(seen->windows[n]);
    free(seen);
}

void fanout_peer_free(fanout_peer *peer) {
    fanout_cipher_close(&peer->rtp);
    fanout_cipher_close(&peer->rtcp);
    free_seen(peer->rtp_seen);
    free_seen(peer->rtcp_seen);
    memset(peer->pwd, 0, sizeof peer->pwd);
    free(peer);
}

fanout_window *fanout_seen_window(fanout_seen *seen, uint32_t ssrc, bool *is_new) {
    *is_new = false;
    for (size_t n = 0; n < seen->count; n++)
        if (seen->windows[n]->ssrc == ssrc)
            return seen->windows[n];
    if (seen->count == FANOUT_MAX_SSRCS)
        return NULL;
    fanout_window *made = calloc(1, sizeof *made);
    if (made != NULL) {
        made->highest = -1;
        made->ssrc = ssrc;
        *is_new = true;
    }
    return made;
}

void fanout_seen_keep(fanout_seen *seen, fanout_window *window) {
    seen->windows[seen->count++] = window;
}
