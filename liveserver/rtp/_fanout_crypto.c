#include "_fanout_crypto.h"

#include <dlfcn.h>
#include <string.h>

/* From OpenSSL's <openssl/evp.h> and <openssl/params.h>, version 3. */
typedef struct {
    const char *key;
    unsigned int data_type;
    void *data;
    size_t data_size;
    size_t return_size;
} parameter;

enum { UTF8_STRING = 4, OCTET_STRING = 5 };

static struct {
    const char *(*version)(int);
    void *(*cipher_fetch)(void *, const char *, const char *);
    void *(*cipher_new)(void);
    void (*cipher_free)(void *);
    int (*init)(void *, const void *, void *, const uint8_t *, const uint8_t *);
    int (*update)(void *, uint8_t *, int *, const uint8_t *, int);
    int (*final)(void *, uint8_t *, int *);
    int (*cipher_get)(void *, parameter *);
    int (*cipher_set)(void *, const parameter *);
    int (*decrypt_init)(void *, const void *, void *, const uint8_t *, const uint8_t *);
    int (*decrypt_update)(void *, uint8_t *, int *, const uint8_t *, int);
    int (*decrypt_final)(void *, uint8_t *, int *);
    void *(*mac_fetch)(void *, const char *, const char *);
    void *(*mac_new)(void *);
    void (*mac_free)(void *);
    int (*mac_init)(void *, const uint8_t *, size_t, const parameter *);
    int (*mac_update)(void *, const uint8_t *, size_t);
    int (*mac_final)(void *, uint8_t *, size_t *, size_t);
    const void *gcm, *counter; /* EVP_CIPHER */
    void *hmac;                /* EVP_MAC */
} openssl;

static bool loaded;

static const struct {
    const char *name;
    void *where;
} SYMBOLS[] = {
    {"OpenSSL_version", &openssl.version},
    {"EVP_CIPHER_fetch", &openssl.cipher_fetch},
    {"EVP_CIPHER_CTX_new", &openssl.cipher_new},
    {"EVP_CIPHER_CTX_free", &openssl.cipher_free},
    {"EVP_EncryptInit_ex", &openssl.init},
    {"EVP_EncryptUpdate", &openssl.update},
    {"EVP_EncryptFinal_ex", &openssl.final},
    {"EVP_CIPHER_CTX_get_params", &openssl.cipher_get},
    {"EVP_CIPHER_CTX_set_params", &openssl.cipher_set},
    {"EVP_DecryptInit_ex", &openssl.decrypt_init},
    {"EVP_DecryptUpdate", &openssl.decrypt_update},
    {"EVP_DecryptFinal_ex", &openssl.decrypt_final},
    {"EVP_MAC_fetch", &openssl.mac_fetch},
    {"EVP_MAC_CTX_new", &openssl.mac_new},
    {"EVP_MAC_CTX_free", &openssl.mac_free},
    {"EVP_MAC_init", &openssl.mac_init},
    {"EVP_MAC_update", &openssl.mac_update},
    {"EVP_MAC_final", &openssl.mac_final},
};

/* RFC 7714 16.1.1: one packet protected with AEAD_AES_128_GCM. */
static bool gcm_is_right(void) {
    static const uint8_t tag[16] = {0x89, 0x9d, 0x7f, 0x27, 0xbe, 0xb1, 0x6a, 0x91,
                                    0x52, 0xcf, 0x76, 0x5e, 0xe4, 0x39, 0x0c, 0xce};
    static const char payload[] = "Gallia est omnis divisa in partes tres";
    uint8_t packet[12 + sizeof payload - 1 + 16] = {0x80, 0x40, 0xf1, 0x7b, 0x80, 0x41,
                                                    0xf8, 0xd3, 0x55, 0x01, 0xa0, 0xb2};
    uint8_t key[FANOUT_KEY];
    for (uint8_t n = 0; n < FANOUT_KEY; n++)
        key[n] = n;
    fanout_cipher cipher;
    if (!fanout_cipher_open(&cipher, FANOUT_GCM, key, (const uint8_t *)"Quid pro quo", NULL))
        return false;
    bool done = fanout_protect(&cipher, 0x5501a0b2, 0xf17b, packet, 12, (const uint8_t *)payload,
                               sizeof payload - 1);
    done = done && packet[12] == 0xf2 && packet[13] == 0x4d &&
           memcmp(packet + sizeof packet - sizeof tag, tag, sizeof tag) == 0;
    done = done && fanout_unprotect(&cipher, 0x5501a0b2, 0xf17b, packet, 12, sizeof packet) == 12 + sizeof payload - 1 &&
           memcmp(packet + 12, payload, sizeof payload - 1) == 0;
    fanout_cipher_close(&cipher);
    return done;
}

/* RFC 3711 B.3 (key derivation is AES in counter mode) and RFC 2202 3, case 1 (HMAC-SHA1). */
static bool counter_and_hmac_are_right(void) {
    static const uint8_t master[16] = {0xe1, 0xf9, 0x7a, 0x0d, 0x3e, 0x01, 0x8b, 0xe0,
                                       0xd6, 0x4f, 0xa3, 0x2c, 0x06, 0xde, 0x41, 0x39};
    static const uint8_t salt[14] = {0x0e, 0xc6, 0x75, 0xad, 0x49, 0x8a, 0xfe,
                                     0xeb, 0xb6, 0x96, 0x0b, 0x3a, 0xab, 0xe6};
    static const uint8_t expected[4] = {0xc6, 0x1e, 0x7a, 0x93};
    static const uint8_t digest[4] = {0xb6, 0x17, 0x31, 0x86};
    uint8_t key[16], authentication[FANOUT_AUTH_KEY], mac[20];
    size_t size = 0;
    if (!fanout_derive(master, salt, sizeof salt, 0, key, sizeof key) || memcmp(key, expected, 4) != 0)
        return false;
    memset(authentication, 0x0b, sizeof authentication);
    fanout_cipher cipher;
    if (!fanout_cipher_open(&cipher, FANOUT_CM_HMAC_SHA1_80, key, salt, authentication))
        return false;
    bool done = true;
    for (int time = 0; time < 2; time++) /* the first OpenSSL 3.0s forgot to begin anew */
        done = done && openssl.mac_init(cipher.mac, NULL, 0, NULL) == 1 &&
               openssl.mac_update(cipher.mac, (const uint8_t *)"Hi There", 8) == 1 &&
               openssl.mac_final(cipher.mac, mac, &size, sizeof mac) == 1;
    fanout_cipher_close(&cipher);
    return done && size == sizeof mac && memcmp(mac, digest, sizeof digest) == 0;
}

const char *fanout_crypto_load(const char *path) {
    if (loaded)
        return NULL;
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return dlerror();
    for (size_t n = 0; n < sizeof SYMBOLS / sizeof *SYMBOLS; n++) {
        void *found = dlsym(library, SYMBOLS[n].name);
        if (found == NULL) {
            dlclose(library);
            return SYMBOLS[n].name;
        }
        memcpy(SYMBOLS[n].where, &found, sizeof found);
    }
    openssl.gcm = openssl.cipher_fetch(NULL, "AES-128-GCM", NULL);
    openssl.counter = openssl.cipher_fetch(NULL, "AES-128-CTR", NULL);
    openssl.hmac = openssl.mac_fetch(NULL, "HMAC", NULL);
    /* The library stays loaded even when it is refused: what it fetched lives in it. */
    if (openssl.gcm == NULL || openssl.counter == NULL || openssl.hmac == NULL)
        return "it has no AES-128-GCM, AES-128-CTR or HMAC";
    if (!gcm_is_right() || !counter_and_hmac_are_right())
        return "its ciphers fail the published vectors";
    loaded = true;
    return NULL;
}

const char *fanout_crypto_version(void) {
    return loaded ? openssl.version(0) : NULL;
}

bool fanout_derive(const uint8_t *key, const uint8_t *salt, size_t salt_size, uint8_t label, uint8_t *out,
                   size_t size) {
    uint8_t counter[16] = {0};
    int written = 0;
    memcpy(counter, salt, salt_size);
    counter[7] ^= label;
    memset(out, 0, size);
    void *context = openssl.cipher_new();
    bool done = context != NULL && openssl.init(context, openssl.counter, NULL, key, counter) == 1 &&
                openssl.update(context, out, &written, out, (int)size) == 1 && written == (int)size;
    openssl.cipher_free(context);
    return done;
}

static bool open_mac(fanout_cipher *cipher, const uint8_t *key) {
    char digest[] = "SHA1";
    parameter parameters[] = {{"digest", UTF8_STRING, digest, sizeof digest - 1, 0}, {NULL, 0, NULL, 0, 0}};
    cipher->mac = openssl.mac_new(openssl.hmac);
    return cipher->mac != NULL && openssl.mac_init(cipher->mac, key, FANOUT_AUTH_KEY, parameters) == 1;
}

bool fanout_cipher_open(fanout_cipher *cipher, int profile, const uint8_t *key, const uint8_t *salt,
                        const uint8_t *auth_key) {
    bool is_gcm = profile == FANOUT_GCM;
    memset(cipher, 0, sizeof *cipher);
    memcpy(cipher->salt, salt, is_gcm ? 12 : 14);
    cipher->tag_size = is_gcm ? 16 : 10;
    cipher->context = openssl.cipher_new();
    if (cipher->context != NULL &&
        openssl.init(cipher->context, is_gcm ? openssl.gcm : openssl.counter, NULL, key, NULL) == 1 &&
        (is_gcm || open_mac(cipher, auth_key)))
        return true;
    fanout_cipher_close(cipher);
    return false;
}

void fanout_cipher_close(fanout_cipher *cipher) {
    if (cipher->context != NULL)
        openssl.cipher_free(cipher->context);
    if (cipher->mac != NULL)
        openssl.mac_free(cipher->mac);
    memset(cipher, 0, sizeof *cipher);
}

/* Exclusive-or `count` octets of `value`, most significant first, into `out`. */
static inline void mix(uint8_t *out, uint64_t value, int count) {
    for (int n = 0; n < count; n++)
        out[n] ^= (uint8_t)(value >> (8 * (count - 1 - n)));
}

/* IV: salt ^ SSRC x 2^48 ^ index (RFC 7714 8.1, 9.1). */
static bool seal(fanout_cipher *cipher, uint32_t ssrc, uint64_t index, const uint8_t *authenticated,
                 size_t authenticated_size, const uint8_t *plain, uint8_t *out, size_t size) {
    uint8_t nonce[12];
    int written = 0;
    void *context = cipher->context;
    parameter tag[] = {{"tag", OCTET_STRING, out + size, 16, 0}, {NULL, 0, NULL, 0, 0}};
    memcpy(nonce, cipher->salt, sizeof nonce);
    mix(nonce + 2, ssrc, 4);
    mix(nonce + 6, index, 6);
    return openssl.init(context, NULL, NULL, NULL, nonce) == 1 &&
           openssl.update(context, NULL, &written, authenticated, (int)authenticated_size) == 1 &&
           (size == 0 || openssl.update(context, out, &written, plain, (int)size) == 1) &&
           openssl.final(context, out + size, &written) == 1 && openssl.cipher_get(context, tag) == 1;
}

/* Exclusive-or with the key stream from IV = salt x 2^16 ^ SSRC x 2^64 ^ index x 2^16 (RFC 3711 4.1.1). */
static bool count(fanout_cipher *cipher, uint32_t ssrc, uint64_t index, const uint8_t *plain, uint8_t *out,
                  size_t size) {
    uint8_t counter[16];
    int written = 0;
    memcpy(counter, cipher->salt, sizeof counter);
    mix(counter + 4, ssrc, 4);
    mix(counter + 8, index, 6);
    return openssl.init(cipher->context, NULL, NULL, NULL, counter) == 1 &&
           (size == 0 || openssl.update(cipher->context, out, &written, plain, (int)size) == 1);
}

/* The first 10 octets of HMAC-SHA1 over `covered` and `tail` (RFC 3711 4.2.1) are written to `tag`. */
static bool authenticate(fanout_cipher *cipher, const uint8_t *covered, size_t size, const uint8_t *tail,
                         size_t tail_size, uint8_t *tag) {
    uint8_t digest[20];
    size_t digest_size = 0;
    if (openssl.mac_init(cipher->mac, NULL, 0, NULL) != 1 ||
        openssl.mac_update(cipher->mac, covered, size) != 1 ||
        (tail_size > 0 && openssl.mac_update(cipher->mac, tail, tail_size) != 1) ||
        openssl.mac_final(cipher->mac, digest, &digest_size, sizeof digest) != 1)
        return false;
    memcpy(tag, digest, 10);
    return true;
}

bool fanout_protect(fanout_cipher *cipher, uint32_t ssrc, uint64_t index, uint8_t *packet, size_t header_size,
                    const uint8_t *payload, size_t size) {
    uint8_t *out = packet + header_size;
    if (cipher->mac == NULL)
        return seal(cipher, ssrc, index, packet, header_size, payload, out, size);
    uint8_t rollover[4] = {0};
    mix(rollover, index >> 16, 4);
    return count(cipher, ssrc, index, payload, out, size) &&
           authenticate(cipher, packet, header_size + size, rollover, sizeof rollover, out + size);
}

size_t fanout_protect_rtcp(fanout_cipher *cipher, uint32_t ssrc, uint32_t index, uint8_t *packet, size_t size) {
    size_t header_size = size < 8 ? size : 8;
    uint8_t *body = packet + header_size;
    uint8_t word[4] = {0x80, 0, 0, 0}; /* E: it is encrypted */
    mix(word, index, 4);
    if (cipher->mac == NULL) {
        uint8_t authenticated[12];
        memcpy(authenticated, packet, header_size);
        memcpy(authenticated + header_size, word, 4);
        if (!seal(cipher, ssrc, index, authenticated, header_size + 4, body, body, size - header_size))
            return 0;
        memcpy(packet + size + 16, word, 4);
        return size + 20;
    }
    if (!count(cipher, ssrc, index, body, body, size - header_size))
        return 0;
    memcpy(packet + size, word, 4);
    return authenticate(cipher, packet, size + 4, NULL, 0, packet + size + 4) ? size + 14 : 0;
}

/* The reverse of `seal`: the tag lies behind `size` octets of ciphertext at `data`. */
static bool unseal(fanout_cipher *cipher, uint32_t ssrc, uint64_t index, const uint8_t *authenticated,
                   size_t authenticated_size, uint8_t *data, size_t size) {
    uint8_t nonce[12], tag[16];
    int written = 0;
    void *context = cipher->context;
    const parameter expected[] = {{"tag", OCTET_STRING, tag, 16, 0}, {NULL, 0, NULL, 0, 0}};
    memcpy(tag, data + size, sizeof tag);
    memcpy(nonce, cipher->salt, sizeof nonce);
    mix(nonce + 2, ssrc, 4);
    mix(nonce + 6, index, 6);
    return openssl.decrypt_init(context, NULL, NULL, NULL, nonce) == 1 && openssl.cipher_set(context, expected) == 1 &&
           openssl.decrypt_update(context, NULL, &written, authenticated, (int)authenticated_size) == 1 &&
           (size == 0 || openssl.decrypt_update(context, data, &written, data, (int)size) == 1) &&
           openssl.decrypt_final(context, tag, &written) == 1;
}

size_t fanout_unprotect(fanout_cipher *cipher, uint32_t ssrc, uint64_t index, uint8_t *packet, size_t header_size,
                        size_t size) {
    if (size < header_size + cipher->tag_size)
        return 0;
    size_t left = size - cipher->tag_size;
    uint8_t *body = packet + header_size;
    if (cipher->mac == NULL)
        return unseal(cipher, ssrc, index, packet, header_size, body, left - header_size) ? left : 0;
    uint8_t rollover[4] = {0}, tag[10];
    mix(rollover, index >> 16, 4);
    if (!authenticate(cipher, packet, left, rollover, sizeof rollover, tag) || !fanout_equal(tag, packet + left, 10))
        return 0;
    return count(cipher, ssrc, index, body, body, left - header_size) ? left : 0;
}

size_t fanout_unprotect_rtcp(fanout_cipher *cipher, uint32_t ssrc, uint32_t index, uint8_t *packet, size_t size) {
    size_t trailer = (size_t)cipher->tag_size + 4;
    if (size < 8 + trailer)
        return 0;
    size_t left = size - trailer;
    if (cipher->mac == NULL) {
        uint8_t authenticated[12];
        memcpy(authenticated, packet, 8);
        memcpy(authenticated + 8, packet + size - 4, 4);
        return unseal(cipher, ssrc, index, authenticated, sizeof authenticated, packet + 8, left - 8) ? left : 0;
    }
    uint8_t tag[10];
    if (!authenticate(cipher, packet, left + 4, NULL, 0, tag) || !fanout_equal(tag, packet + left + 4, 10))
        return 0;
    return count(cipher, ssrc, index, packet + 8, packet + 8, left - 8) ? left : 0;
}

bool fanout_hmac_sha1(const uint8_t *key, size_t key_size, const uint8_t *first, size_t first_size,
                      const uint8_t *second, size_t second_size, uint8_t digest[20]) {
    char name[] = "SHA1";
    parameter parameters[] = {{"digest", UTF8_STRING, name, sizeof name - 1, 0}, {NULL, 0, NULL, 0, 0}};
    static void *context; /* one thread only, as all of this */
    size_t size = 0;
    if (context == NULL)
        context = openssl.mac_new(openssl.hmac);
    return context != NULL && openssl.mac_init(context, key, key_size, parameters) == 1 &&
           openssl.mac_update(context, first, first_size) == 1 &&
           (second_size == 0 || openssl.mac_update(context, second, second_size) == 1) &&
           openssl.mac_final(context, digest, &size, 20) == 1 && size == 20;
}

bool fanout_equal(const uint8_t *one, const uint8_t *other, size_t size) {
    uint8_t difference = 0;
    for (size_t n = 0; n < size; n++)
        difference |= one[n] ^ other[n];
    return difference == 0;
}
