/* SipHash-1-3 (Aumasson and Bernstein 2012; the rounds that Python's own hash of bytes uses): a keyed hash, so
 * that nobody outside can find two packets with one fingerprint. */

#ifndef LIVESERVER_FANOUT_SIPHASH_H
#define LIVESERVER_FANOUT_SIPHASH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define FANOUT_ROTATE(word, bits) ((word) << (bits) | (word) >> (64 - (bits)))

static inline void fanout_sip_round(uint64_t v[4]) {
    v[0] += v[1], v[1] = FANOUT_ROTATE(v[1], 13) ^ v[0], v[0] = FANOUT_ROTATE(v[0], 32);
    v[2] += v[3], v[3] = FANOUT_ROTATE(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = FANOUT_ROTATE(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = FANOUT_ROTATE(v[1], 17) ^ v[2], v[2] = FANOUT_ROTATE(v[2], 32);
}

static inline uint64_t fanout_siphash(const uint64_t secret[2], const uint8_t *data, size_t size) {
    uint64_t v[4] = {secret[0] ^ 0x736f6d6570736575, secret[1] ^ 0x646f72616e646f6d,
                     secret[0] ^ 0x6c7967656e657261, secret[1] ^ 0x7465646279746573};
    uint64_t word;
    size_t whole = size & ~(size_t)7;
    for (size_t n = 0; n < whole; n += 8) {
        memcpy(&word, data + n, 8);
        v[3] ^= word;
        fanout_sip_round(v);
        v[0] ^= word;
    }
    word = (uint64_t)size << 56;
    for (size_t n = whole; n < size; n++)
        word |= (uint64_t)data[n] << (8 * (n - whole));
    v[3] ^= word;
    fanout_sip_round(v);
    v[0] ^= word;
    v[2] ^= 0xff;
    for (int n = 0; n < 3; n++)
        fanout_sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

#endif
