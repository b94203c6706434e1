/* STUN checks: read, verified, answered, as `stun.py` has it (RFC 8489, RFC 8445 7.1). */

#ifndef LIVESERVER_FANOUT_STUN_H
#define LIVESERVER_FANOUT_STUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "_fanout_wire.h"

enum { FANOUT_STUN_ANSWER = 96 }; /* octets of an answer at most */

/* A binding request, as far as an ICE-lite agent reads it. */
typedef struct {
    const uint8_t *data;
    size_t integrity; /* where MESSAGE-INTEGRITY begins, 0 when it is absent */
    const uint8_t *username;
    size_t username_size; /* up to the colon: our ufrag */
    bool is_request, use_candidate;
} fanout_check;

/* False when it is no well-formed STUN message. */
bool fanout_stun_read(const uint8_t *data, size_t size, fanout_check *check);
/* Whether the message was signed with our password. */
bool fanout_stun_verify(const fanout_check *check, const uint8_t *pwd, size_t pwd_size);
/* The answer to a verified check, which tells the address it was seen from. Its octets, or 0. */
size_t fanout_stun_answer(const fanout_check *check, const fanout_address *seen, const uint8_t *pwd, size_t pwd_size,
                          uint8_t answer[FANOUT_STUN_ANSWER]);

#endif
