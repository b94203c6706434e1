/* The least that sending a lesson to many viewers costs: what `liveserver bench fanout` compares with.
 *
 * Every viewer has keys of his own. Each 20 ms one packet of sound and each 40 ms one picture of some packets go
 * to all: 12 octets of header, OpenSSL's AES-128-GCM (or AES-128-CTR and HMAC-SHA1), one message with UDP GSO
 * per viewer and picture, 64 messages in each sendmmsg. No tables, no replay windows, no flags, no headers
 * kept. Compiled when the benchmark starts and loaded into the measuring process, so that both use the same
 * OpenSSL; it shares no code with the fan-out. */

#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { MESSAGES = 64, HEADER = 12, SOL_UDP_ = 17, UDP_SEGMENT_ = 103, GCM = 7 };

typedef struct {
    const char *key;
    unsigned type;
    void *data;
    size_t size, returned;
} parameter;

typedef struct {
    void *cipher, *mac;
    uint8_t salt[16];
    uint32_t ssrc;
    uint16_t sequence;
    struct sockaddr_in address;
} viewer;

/* What to play. `gap_ns`: between ticks; a picture leaves with every second one, a packet of sound with each, or
 * `sound_packets` with every one of so many. */
typedef struct {
    const char *library;
    int fd, profile, viewers, ticks, picture_packets, picture_octets, sound_packets, sound_octets;
    uint32_t first_address, apart; /* the viewer's number x `apart` is added */
    uint16_t port;
    int64_t gap_ns;
} plan;

typedef struct {
    int64_t cpu_ns, wall_ns, packets, dropped;
} result;

static void *(*cipher_new)(void), *(*cipher_fetch)(void *, const char *, const char *);
static void (*cipher_free)(void *);
static int (*init)(void *, const void *, void *, const uint8_t *, const uint8_t *);
static int (*update)(void *, uint8_t *, int *, const uint8_t *, int);
static int (*final)(void *, uint8_t *, int *);
static int (*get)(void *, parameter *);
static void *(*mac_fetch)(void *, const char *, const char *), *(*mac_new)(void *);
static void (*mac_free)(void *);
static int (*mac_init)(void *, const uint8_t *, size_t, const parameter *);
static int (*mac_update)(void *, const uint8_t *, size_t), (*mac_final)(void *, uint8_t *, size_t *, size_t);

static struct mmsghdr messages[MESSAGES];
static struct iovec parts[MESSAGES];
static union {
    struct cmsghdr header;
    char space[CMSG_SPACE(2)];
} controls[MESSAGES];
static int gathered, per_message;
static uint8_t *buffer;

static int64_t now(clockid_t clock) {
    struct timespec at;
    clock_gettime(clock, &at);
    return at.tv_sec * 1000000000LL + at.tv_nsec;
}

static int load(const char *path) {
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    struct {
        const char *name;
        void *where;
    } wanted[] = {
        {"EVP_CIPHER_CTX_new", &cipher_new}, {"EVP_CIPHER_CTX_free", &cipher_free},
        {"EVP_CIPHER_fetch", &cipher_fetch}, {"EVP_EncryptInit_ex", &init},
        {"EVP_EncryptUpdate", &update},      {"EVP_EncryptFinal_ex", &final},
        {"EVP_CIPHER_CTX_get_params", &get}, {"EVP_MAC_fetch", &mac_fetch},
        {"EVP_MAC_CTX_new", &mac_new},       {"EVP_MAC_CTX_free", &mac_free},
        {"EVP_MAC_init", &mac_init},         {"EVP_MAC_update", &mac_update},
        {"EVP_MAC_final", &mac_final},
    };
    for (size_t n = 0; library != NULL && n < sizeof wanted / sizeof *wanted; n++) {
        void *found = dlsym(library, wanted[n].name);
        if (found == NULL)
            return 0;
        memcpy(wanted[n].where, &found, sizeof found);
    }
    return library != NULL;
}

static int prepare(viewer *one, const plan *play, int number) {
    char digest[] = "SHA1";
    parameter parameters[] = {{"digest", 4, digest, 4, 0}, {0}};
    uint8_t key[20];
    for (size_t n = 0; n < sizeof key; n++)
        key[n] = (uint8_t)(random() >> 8);
    for (size_t n = 0; n < sizeof one->salt; n++)
        one->salt[n] = (uint8_t)(random() >> 8);
    one->ssrc = 2 * (uint32_t)number + 1;
    one->address.sin_family = AF_INET;
    one->address.sin_port = htons(play->port);
    one->address.sin_addr.s_addr = htonl(play->first_address + play->apart * (uint32_t)number);
    one->cipher = cipher_new();
    void *kind = cipher_fetch(NULL, play->profile == GCM ? "AES-128-GCM" : "AES-128-CTR", NULL);
    if (play->profile != GCM) {
        one->mac = mac_new(mac_fetch(NULL, "HMAC", NULL));
        if (one->mac == NULL || mac_init(one->mac, key, sizeof key, parameters) != 1)
            return 0;
    }
    return one->cipher != NULL && init(one->cipher, kind, NULL, key, NULL) == 1;
}

static int64_t flush(int fd, int64_t *dropped) {
    int done = 0;
    int64_t sent = 0;
    while (done < gathered) {
        int taken = sendmmsg(fd, messages + done, (unsigned)(gathered - done), MSG_DONTWAIT);
        if (taken > 0)
            sent += (int64_t)taken * per_message;
        else
            *dropped += per_message;
        done += taken > 0 ? taken : 1;
    }
    gathered = 0;
    return sent;
}

static size_t protect(viewer *one, const plan *play, uint8_t *out, const uint8_t *payload, int size, uint32_t ssrc,
                      uint32_t timestamp, int last) {
    uint16_t sequence = ++one->sequence;
    uint32_t word;
    uint8_t iv[16];
    int written = 0;
    int at = play->profile == GCM ? 2 : 4;
    out[0] = 0x80;
    out[1] = (uint8_t)(102 | (last ? 0x80 : 0));
    out[2] = (uint8_t)(sequence >> 8);
    out[3] = (uint8_t)sequence;
    word = htonl(timestamp);
    memcpy(out + 4, &word, 4);
    word = htonl(ssrc);
    memcpy(out + 8, &word, 4);
    memcpy(iv, one->salt, sizeof iv);
    for (int n = 0; n < 4; n++)
        iv[at + n] ^= out[8 + n];
    iv[at + 8] ^= out[2];
    iv[at + 9] ^= out[3];
    if (play->profile == GCM) {
        parameter tag[] = {{"tag", 5, out + HEADER + size, 16, 0}, {0}};
        init(one->cipher, NULL, NULL, NULL, iv);
        update(one->cipher, NULL, &written, out, HEADER);
        update(one->cipher, out + HEADER, &written, payload, size);
        final(one->cipher, out + HEADER + size, &written);
        get(one->cipher, tag);
        return (size_t)(HEADER + size + 16);
    }
    uint8_t rollover[4] = {0}, digest[20];
    size_t digest_size;
    init(one->cipher, NULL, NULL, NULL, iv);
    update(one->cipher, out + HEADER, &written, payload, size);
    mac_init(one->mac, NULL, 0, NULL);
    mac_update(one->mac, out, (size_t)(HEADER + size));
    mac_update(one->mac, rollover, 4);
    mac_final(one->mac, digest, &digest_size, sizeof digest);
    memcpy(out + HEADER + size, digest, 10);
    return (size_t)(HEADER + size + 10);
}

/* `packets` of `size` octets of payload to everybody. */
static int64_t to_all(viewer *viewers, const plan *play, int packets, const uint8_t *payload, int size,
                      uint32_t timestamp, int64_t *dropped) {
    int64_t sent = 0;
    size_t slot = (size_t)packets * (size_t)(HEADER + size + 16);
    per_message = packets;
    for (int n = 0; n < play->viewers; n++) {
        viewer *one = &viewers[n];
        uint8_t *start = buffer + (size_t)gathered * slot, *out = start;
        uint16_t segment = 0;
        for (int k = 0; k < packets; k++) {
            segment = (uint16_t)protect(one, play, out, payload, size, one->ssrc + (packets == 1), timestamp,
                                        k + 1 == packets);
            out += segment;
        }
        struct msghdr *message = &messages[gathered].msg_hdr;
        parts[gathered] = (struct iovec){start, (size_t)(out - start)};
        *message = (struct msghdr){.msg_name = &one->address, .msg_namelen = sizeof one->address,
                                   .msg_iov = &parts[gathered], .msg_iovlen = 1};
        if (packets > 1) {
            struct cmsghdr *control = &controls[gathered].header;
            control->cmsg_level = SOL_UDP_;
            control->cmsg_type = UDP_SEGMENT_;
            control->cmsg_len = CMSG_LEN(2);
            memcpy(CMSG_DATA(control), &segment, 2);
            message->msg_control = control;
            message->msg_controllen = sizeof controls[0];
        }
        if (++gathered == MESSAGES)
            sent += flush(play->fd, dropped);
    }
    return sent + flush(play->fd, dropped);
}

/* 0, or 1 when OpenSSL or memory is missing. */
__attribute__((visibility("default"))) int floor_play(const plan *play, result *told) {
    viewer *viewers = calloc((size_t)play->viewers, sizeof *viewers);
    uint8_t payload[1500] = {0};
    int failed = viewers == NULL || !load(play->library);
    buffer = malloc((size_t)MESSAGES * (size_t)play->picture_packets * (size_t)(play->picture_octets + 28));
    for (int n = 0; n < play->viewers && !failed; n++)
        failed = buffer == NULL || !prepare(&viewers[n], play, n);
    *told = (result){0};
    int64_t began = now(CLOCK_MONOTONIC), cpu = now(CLOCK_PROCESS_CPUTIME_ID);
    for (int tick = 0; tick < play->ticks && !failed; tick++) {
        int64_t due = began + tick * play->gap_ns;
        struct timespec until = {due / 1000000000, due % 1000000000};
        clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
        if (tick % 2 == 0)
            told->packets += to_all(viewers, play, play->picture_packets, payload, play->picture_octets,
                                    (uint32_t)tick * 1800, &told->dropped);
        if (tick % play->sound_packets == play->sound_packets - 1)
            told->packets += to_all(viewers, play, play->sound_packets, payload, play->sound_octets,
                                    (uint32_t)tick * 960, &told->dropped);
    }
    told->cpu_ns = now(CLOCK_PROCESS_CPUTIME_ID) - cpu;
    told->wall_ns = now(CLOCK_MONOTONIC) - began;
    for (int n = 0; viewers != NULL && n < play->viewers; n++) {
        if (viewers[n].cipher != NULL)
            cipher_free(viewers[n].cipher);
        if (viewers[n].mac != NULL)
            mac_free(viewers[n].mac);
    }
    free(viewers);
    free(buffer);
    return failed;
}
