#include "_fanout_stun.h"

#include <string.h>

#include "_fanout_crypto.h"

enum { HEADER = 20, MAX_ATTRIBUTES = 20, MAX_USERNAME = 513, INTEGRITY = 24, FINGERPRINT_SIZE = 8 };
enum { USERNAME = 0x0006, MESSAGE_INTEGRITY = 0x0008, XOR_MAPPED_ADDRESS = 0x0020, PRIORITY = 0x0024 };
enum { USE_CANDIDATE = 0x0025, FINGERPRINT = 0x8028, ICE_CONTROLLED = 0x8029, ICE_CONTROLLING = 0x802A };
static const uint8_t COOKIE[4] = {0x21, 0x12, 0xA4, 0x42};
static const uint32_t FINGERPRINT_MASK = 0x5354554E;

static uint16_t read_16(const uint8_t *at) {
    return (uint16_t)(at[0] << 8 | at[1]);
}

static void write_16(uint8_t *at, size_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* ISO 3309, as in Ethernet; four bits at a time. */
static uint32_t crc_32(const uint8_t *data, size_t size) {
    static const uint32_t table[16] = {
        0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac, 0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c,
        0xedb88320, 0xf00f9344, 0xd6d6a3e8, 0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c,
    };
    uint32_t crc = 0xFFFFFFFF;
    for (size_t n = 0; n < size; n++) {
        crc = table[(crc ^ data[n]) & 15] ^ crc >> 4;
        crc = table[(crc ^ data[n] >> 4) & 15] ^ crc >> 4;
    }
    return ~crc;
}

static void write_fingerprint(const uint8_t *data, size_t size, uint8_t value[4]) {
    uint32_t crc = crc_32(data, size) ^ FINGERPRINT_MASK;
    write_16(value, crc >> 16);
    write_16(value + 2, crc & 0xFFFF);
}

static bool length_is_right(uint16_t kind, size_t length) {
    switch (kind) {
    case PRIORITY:
        return length == 4;
    case USE_CANDIDATE:
        return length == 0;
    case ICE_CONTROLLED:
    case ICE_CONTROLLING:
        return length == 8;
    case MESSAGE_INTEGRITY:
        return length == 20;
    default:
        return true;
    }
}

static bool fingerprint_is_right(const uint8_t *data, size_t size, size_t position, size_t length) {
    uint8_t expected[4];
    if (length != 4 || position + FINGERPRINT_SIZE != size)
        return false;
    write_fingerprint(data, position, expected);
    return memcmp(expected, data + position + 4, 4) == 0;
}

static bool mapped_is_right(const uint8_t *value, size_t length) {
    return (length == 8 && value[1] == 1) || (length == 20 && value[1] == 2);
}

/* One attribute; false when it is malformed. What follows MESSAGE-INTEGRITY is not covered by it, so not read. */
static bool read_attribute(fanout_check *check, size_t size, size_t position, uint16_t kind, size_t length) {
    const uint8_t *value = check->data + position + 4;
    if (!length_is_right(kind, length))
        return false;
    if (kind == FINGERPRINT)
        return fingerprint_is_right(check->data, size, position, length);
    if (check->integrity > 0)
        return true;
    if (kind == MESSAGE_INTEGRITY)
        check->integrity = position;
    else if (kind == USE_CANDIDATE)
        check->use_candidate = true;
    else if (kind == XOR_MAPPED_ADDRESS)
        return mapped_is_right(value, length);
    else if (kind == USERNAME && check->username == NULL) {
        const uint8_t *colon = memchr(value, ':', length);
        check->username = value;
        check->username_size = colon != NULL ? (size_t)(colon - value) : length;
        return length <= MAX_USERNAME;
    }
    return true;
}

bool fanout_stun_read(const uint8_t *data, size_t size, fanout_check *check) {
    memset(check, 0, sizeof *check);
    check->data = data;
    if (size < HEADER || (data[0] & 0xC0) != 0 || memcmp(data + 4, COOKIE, 4) != 0 || size % 4 != 0 ||
        read_16(data + 2) + (size_t)HEADER != size)
        return false;
    unsigned count = 0;
    for (size_t position = HEADER; position < size;) {
        uint16_t kind = read_16(data + position);
        size_t length = read_16(data + position + 2), end = position + 4 + length;
        if (++count > MAX_ATTRIBUTES || end > size || !read_attribute(check, size, position, kind, length))
            return false;
        position = (end + 3) & ~(size_t)3;
    }
    check->is_request = read_16(data) == 1; /* Binding, class request */
    return true;
}

bool fanout_stun_verify(const fanout_check *check, const uint8_t *pwd, size_t pwd_size) {
    uint8_t head[HEADER], digest[20];
    if (check->integrity == 0)
        return false;
    /* The length field counts up to and including MESSAGE-INTEGRITY, whatever came after it. */
    memcpy(head, check->data, HEADER);
    write_16(head + 2, check->integrity + INTEGRITY - HEADER);
    return fanout_hmac_sha1(pwd, pwd_size, head, HEADER, check->data + HEADER, check->integrity - HEADER, digest) &&
           fanout_equal(digest, check->data + check->integrity + 4, sizeof digest);
}

/* The value of XOR-MAPPED-ADDRESS (RFC 8489 14.2); an IPv4 address that an IPv6 socket saw is told as IPv4. */
static size_t write_mapped(const fanout_address *seen, const uint8_t *mask, uint8_t *value) {
    static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};
    const uint8_t *address = (const uint8_t *)&seen->v4.sin_addr;
    uint16_t port = ntohs(seen->v4.sin_port);
    size_t size = 4;
    if (seen->any.sa_family == AF_INET6) {
        address = seen->v6.sin6_addr.s6_addr;
        port = ntohs(seen->v6.sin6_port);
        size = memcmp(address, mapped, sizeof mapped) == 0 ? 4 : 16;
        address += 16 - (size == 4 ? 4 : 16);
    }
    value[0] = 0;
    value[1] = size == 4 ? 1 : 2;
    write_16(value + 2, port ^ 0x2112);
    for (size_t n = 0; n < size; n++)
        value[4 + n] = address[n] ^ mask[n];
    return 4 + size;
}

size_t fanout_stun_answer(const fanout_check *check, const fanout_address *seen, const uint8_t *pwd, size_t pwd_size,
                          uint8_t answer[FANOUT_STUN_ANSWER]) {
    memcpy(answer, check->data, HEADER);
    write_16(answer, 0x0101);
    size_t size = HEADER + 4;
    size_t value = write_mapped(seen, check->data + 4, answer + size); /* cookie and transaction are the mask */
    write_16(answer + HEADER, XOR_MAPPED_ADDRESS);
    write_16(answer + HEADER + 2, value);
    size += value;
    write_16(answer + 2, size + INTEGRITY - HEADER);
    if (!fanout_hmac_sha1(pwd, pwd_size, answer, size, NULL, 0, answer + size + 4))
        return 0;
    write_16(answer + size, MESSAGE_INTEGRITY);
    write_16(answer + size + 2, 20);
    size += INTEGRITY;
    write_16(answer + 2, size + FINGERPRINT_SIZE - HEADER);
    write_fingerprint(answer, size, answer + size + 4);
    write_16(answer + size, FINGERPRINT);
    write_16(answer + size + 2, 4);
    return size + FINGERPRINT_SIZE;
}
