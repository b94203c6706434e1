/* SRTP protection with OpenSSL's ciphers (RFC 3711, RFC 7714), as `srtp.py` has it.
 *
 * OpenSSL is found at run time, so nothing is linked and no header of it is needed: its prototypes, which are
 * part of its stable interface since 3.0, are declared in _fanout_crypto.c. Functions that can fail return
 * false and change nothing that matters; no packet may be sent then. */

#ifndef LIVESERVER_FANOUT_CRYPTO_H
#define LIVESERVER_FANOUT_CRYPTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { FANOUT_CM_HMAC_SHA1_80 = 1, FANOUT_GCM = 7 }; /* RFC 5764 4.1.2, RFC 7714 14.2 */
enum { FANOUT_KEY = 16, FANOUT_AUTH_KEY = 20, FANOUT_MAX_TAG = 16, FANOUT_RTCP_TRAILER = 20 };

/* One direction's session keys, for RTP or for RTCP. `mac` is NULL with GCM. */
typedef struct {
    void *context; /* EVP_CIPHER_CTX with the key set */
    void *mac;     /* EVP_MAC_CTX with the key set */
    uint8_t salt[16];
    uint8_t tag_size;
} fanout_cipher;

/* Take OpenSSL from the library at `path` and prove it on a published vector. NULL, or why not. */
const char *fanout_crypto_load(const char *path);
/* What was loaded, "OpenSSL 3.5.4 30 Sep 2025"; NULL before. */
const char *fanout_crypto_version(void);

/* `size` octets of a session key from 16 octets of master key and a master salt (RFC 3711 4.3.1). */
bool fanout_derive(const uint8_t *key, const uint8_t *salt, size_t salt_size, uint8_t label, uint8_t *out,
                   size_t size);
/* `salt`: 12 octets with GCM, else 14. `auth_key`: 20 octets, not read with GCM. */
bool fanout_cipher_open(fanout_cipher *cipher, int profile, const uint8_t *key, const uint8_t *salt,
                        const uint8_t *auth_key);
void fanout_cipher_close(fanout_cipher *cipher);

/* `packet` begins with `header_size` octets of header; `payload` is encrypted behind them (and may lie there
 * already), the tag follows. Writes header_size + size + tag_size octets in all. `index` has 48 bits. */
bool fanout_protect(fanout_cipher *cipher, uint32_t ssrc, uint64_t index, uint8_t *packet, size_t header_size,
                    const uint8_t *payload, size_t size);
/* `packet` holds `size` octets of compound RTCP and has room for FANOUT_RTCP_TRAILER more. The octets to
 * send, or 0. `index` has 31 bits. */
size_t fanout_protect_rtcp(fanout_cipher *cipher, uint32_t ssrc, uint32_t index, uint8_t *packet, size_t size);

/* The packet of `size` octets, tag included, in the clear where it lies. The octets that are left, or 0: it is
 * not authentic (its payload is not to be used then). `index` as the receiver guesses it. */
size_t fanout_unprotect(fanout_cipher *cipher, uint32_t ssrc, uint64_t index, uint8_t *packet, size_t header_size,
                        size_t size);
/* The same for SRTCP with its index and tag; at least 8 + FANOUT_RTCP_TRAILER octets (14 without GCM). */
size_t fanout_unprotect_rtcp(fanout_cipher *cipher, uint32_t ssrc, uint32_t index, uint8_t *packet, size_t size);

/* HMAC-SHA1 of two pieces, for STUN (RFC 8489 14.5); `key` of any size. */
bool fanout_hmac_sha1(const uint8_t *key, size_t key_size, const uint8_t *first, size_t first_size,
                      const uint8_t *second, size_t second_size, uint8_t digest[20]);
/* Whether both hold the same, in a time that does not tell where they differ. */
bool fanout_equal(const uint8_t *one, const uint8_t *other, size_t size);

#endif
