#include "_fanout_feedback.h"

#include <string.h>

enum { SENDER_REPORT = 200, RECEIVER_REPORT = 201, DESCRIPTION = 202, BYE = 203, TRANSPORT = 205, PAYLOAD = 206 };
enum { NACK = 1, PICTURE_LOSS = 1, FULL_INTRA_REQUEST = 4, APPLICATION = 15 };
enum { BLOCK = 24, SENDER_INFO = 24, MAX_NACKED = 1024 };
static const uint64_t MAX_BITRATE_BPS = (uint64_t)1 << 40;

/* One packet of a compound, without its common header and padding. */
typedef struct {
    uint8_t count, kind;
    const uint8_t *body;
    size_t size;
} part;

static uint32_t read_32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static bool description_is_right(const part *packet) {
    size_t position = 0;
    for (unsigned chunk = 0; chunk < packet->count; chunk++) {
        if (packet->size < position + 5)
            return false;
        position += 4;
        while (packet->body[position] != 0) {
            if (packet->size < position + 2 || packet->size < position + 3 + packet->body[position + 1])
                return false;
            position += 2 + (size_t)packet->body[position + 1];
        }
        position += 4 - position % 4;
    }
    return true;
}

static bool bye_is_right(const part *packet) {
    size_t sources = 4 * (size_t)packet->count;
    if (packet->size <= sources)
        return packet->size == sources;
    return packet->size >= sources + 1 + packet->body[sources];
}

static bool is_remb(const part *packet) {
    return packet->count == APPLICATION && packet->size >= 12 && memcmp(packet->body + 8, "REMB", 4) == 0;
}

static bool is_right(const part *packet) {
    size_t blocks = BLOCK * (size_t)packet->count;
    switch (packet->kind) {
    case SENDER_REPORT:
        return packet->size >= SENDER_INFO + blocks;
    case RECEIVER_REPORT:
        return packet->size >= 4 + blocks;
    case DESCRIPTION:
        return description_is_right(packet);
    case BYE:
        return bye_is_right(packet);
    case TRANSPORT:
        return packet->size >= 8;
    case PAYLOAD:
        return packet->size >= 8 &&
               (!is_remb(packet) || (packet->size >= 16 && packet->size >= 16 + 4 * (size_t)packet->body[12]));
    default:
        return true;
    }
}

/* The packet at `*position`, which moves behind it; false when it is malformed (RFC 3550 6.4.1). */
static bool next_part(const uint8_t *data, size_t size, size_t *position, part *packet) {
    const uint8_t *header = data + *position;
    if (size - *position < 4 || (header[0] & 0xC0) != 0x80)
        return false;
    size_t words = (size_t)header[2] << 8 | header[3], end = *position + 4 + 4 * words, padding = 0;
    if (end > size)
        return false;
    *packet = (part){.count = header[0] & 0x1F, .kind = header[1], .body = header + 4, .size = 4 * words};
    bool known = (packet->kind >= SENDER_REPORT && packet->kind <= BYE) || packet->kind == TRANSPORT ||
                 packet->kind == PAYLOAD;
    if (known && (header[0] & 0x20)) { /* only the last packet of a compound may be padded */
        padding = words > 0 ? data[end - 1] : 0;
        if (end != size || padding == 0 || padding > packet->size || padding % 4 != 0)
            return false;
    }
    packet->size -= padding;
    *position = end;
    return is_right(packet);
}

static void take_blocks(fanout *self, int64_t session, const uint8_t *block, unsigned count, int64_t now_ns) {
    for (; count > 0; count--, block += BLOCK) {
        int64_t lost = (int64_t)(read_32(block + 4) & 0xFFFFFF);
        const fanout_reception reception = {
            .reported_ns = now_ns,
            .fraction_lost = block[4],
            .lost = lost - ((lost & 0x800000) << 1), /* signed 24 bits: duplicates make it negative */
            .highest_sequence = read_32(block + 8),
            .jitter = read_32(block + 12),
        };
        fanout_reported(self, session, read_32(block), &reception);
    }
}

static void take_nack(fanout *self, int64_t session, const part *packet, int64_t now_ns) {
    uint16_t asked[MAX_NACKED + 17];
    size_t count = 0;
    for (size_t position = 8; position + 4 <= packet->size && count < MAX_NACKED; position += 4) {
        const uint8_t *pair = packet->body + position;
        uint16_t first = (uint16_t)(pair[0] << 8 | pair[1]), mask = (uint16_t)(pair[2] << 8 | pair[3]);
        asked[count++] = first;
        for (uint16_t bit = 0; bit < 16; bit++)
            if (mask >> bit & 1)
                asked[count++] = (uint16_t)(first + 1 + bit);
    }
    fanout_retransmit(self, session, read_32(packet->body + 4), asked, count < MAX_NACKED ? count : MAX_NACKED, now_ns);
}

static void take_remb(fanout *self, int64_t session, const uint8_t *body) {
    uint32_t word = read_32(body + 12);
    uint64_t mantissa = word & 0x3FFFF;
    unsigned exponent = word >> 18 & 0x3F;
    uint64_t rate_bps = exponent < 40 ? mantissa << exponent : MAX_BITRATE_BPS;
    if (exponent >= 40 && mantissa == 0)
        rate_bps = 0;
    fanout_estimated(self, session, rate_bps < MAX_BITRATE_BPS ? rate_bps : MAX_BITRATE_BPS);
}

static void take(fanout *self, int64_t session, const part *packet, int64_t now_ns, bool *wants_picture) {
    if (packet->kind == RECEIVER_REPORT)
        take_blocks(self, session, packet->body + 4, packet->count, now_ns);
    else if (packet->kind == SENDER_REPORT)
        take_blocks(self, session, packet->body + SENDER_INFO, packet->count, now_ns);
    else if (packet->kind == TRANSPORT && packet->count == NACK)
        take_nack(self, session, packet, now_ns);
    else if (packet->kind == PAYLOAD && is_remb(packet))
        take_remb(self, session, packet->body);
    else if (packet->kind == PAYLOAD && (packet->count == PICTURE_LOSS || packet->count == FULL_INTRA_REQUEST))
        *wants_picture = true;
}

bool fanout_feedback(fanout *self, int64_t session, const uint8_t *data, size_t size, int64_t now_ns,
                     bool *wants_picture) {
    part packet;
    *wants_picture = false;
    if (size == 0)
        return false;
    for (size_t position = 0; position < size;) /* one bad part refuses the whole */
        if (!next_part(data, size, &position, &packet))
            return false;
    for (size_t position = 0; position < size;) {
        next_part(data, size, &position, &packet);
        take(self, session, &packet, now_ns, wants_picture);
    }
    return true;
}
