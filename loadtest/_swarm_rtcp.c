#include "_swarm.h"

#include <string.h>

enum {
    REPORT_NS = 1000000000,     /* RFC 4585 lets feedback go at once; reports once a second, as browsers' */
    ASK_AGAIN_NS = 60000000,
    GIVE_UP_NS = 1500000000,
    GIVE_UP_SOUND_NS = 200000000, /* no browser asks for lost sound */
    PLI_NS = 500000000,
};
enum { MAX_TRIES = 10, NACK_ENTRIES = 200 };
enum { SR = 200, RR = 201, SDES = 202, BYE = 203, RTPFB = 205, PSFB = 206 };

static void write_16(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 8);
    at[1] = (uint8_t)value;
}

/* The common header; `size` octets with it. */
static void write_head(uint8_t *at, unsigned count, unsigned type, size_t size) {
    at[0] = (uint8_t)(0x80 | count);
    at[1] = (uint8_t)type;
    write_16(at + 2, (uint32_t)(size / 4 - 1));
}

/* `packet` has room for FANOUT_RTCP_TRAILER more. */
static void leave(swarm_viewer *viewer, uint8_t *packet, size_t size) {
    size = fanout_protect_rtcp(&viewer->rtcp_out, viewer->ssrc, viewer->rtcp_index++ & 0x7FFFFFFF, packet, size);
    if (size > 0)
        send(viewer->fd, packet, size, MSG_DONTWAIT);
}

static void note_sender_report(swarm_viewer *viewer, const uint8_t *packet, size_t size, uint64_t at_ns) {
    if (size < 28)
        return;
    viewer->counts.sender_reports++;
    for (int n = 0; n < SWARM_STREAMS; n++) {
        swarm_stream *stream = &viewer->streams[n];
        if (stream->media.heard && stream->media.ssrc == swarm_read_32(packet + 4)) {
            stream->last_sr = swarm_read_32(packet + 10); /* the middle of the NTP time */
            stream->last_sr_ns = at_ns;
        }
    }
}

void swarm_rtcp(swarm *self, swarm_viewer *viewer, uint8_t *data, size_t size, uint64_t at_ns) {
    bool is_gcm = viewer->rtcp_in.mac == NULL;
    size_t from_end = is_gcm ? 4 : 14; /* where the index is: RFC 7714 9.2, RFC 3711 3.4 */
    if (size < 8 + from_end) {
        viewer->counts.malformed++;
        return;
    }
    uint32_t index = swarm_read_32(data + size - from_end) & 0x7FFFFFFF;
    size = fanout_unprotect_rtcp(&viewer->rtcp_in, swarm_read_32(data + 4), index, data, size);
    if (size == 0) {
        viewer->counts.unauthentic++;
        return;
    }
    viewer->counts.rtcp_packets++;
    if (viewer->publishes)
        swarm_put(self, viewer->number, SWARM_RTCP, NULL, 0, data, size);
    for (size_t offset = 0; offset + 4 <= size;) {
        size_t part = 4 + 4 * ((size_t)data[offset + 2] << 8 | data[offset + 3]);
        if (offset + part > size) {
            viewer->counts.malformed++;
            return;
        }
        if (data[offset + 1] == SR)
            note_sender_report(viewer, data + offset, part, at_ns);
        else if (data[offset + 1] == BYE)
            viewer->counts.byes++;
        offset += part;
    }
}

/* RFC 4585 6.2.1, for what was not asked for lately. The octets written, 0 for none. */
static size_t write_nack(uint8_t *at, swarm_viewer *viewer, swarm_stream *stream, uint64_t now_ns) {
    size_t entries = 0;
    uint64_t asked = 0;
    for (unsigned n = 0; n < stream->gap_count && entries < NACK_ENTRIES; n++) {
        swarm_gap *gap = &stream->gaps[n];
        if (gap->tries > 0 && now_ns - gap->asked_ns < ASK_AGAIN_NS)
            continue;
        gap->tries++;
        gap->asked_ns = now_ns;
        asked++;
        uint8_t *last = at + 12 + 4 * (entries - 1);
        uint16_t sequence = (uint16_t)gap->index, ahead = 0;
        if (entries > 0)
            ahead = (uint16_t)(sequence - (uint16_t)(last[0] << 8 | last[1]));
        if (entries > 0 && ahead >= 1 && ahead <= 16) {
            uint32_t mask = (uint32_t)(last[2] << 8 | last[3]) | 1u << (ahead - 1);
            write_16(last + 2, mask);
            continue;
        }
        write_16(at + 12 + 4 * entries, sequence);
        write_16(at + 14 + 4 * entries, 0);
        entries++;
    }
    if (entries == 0)
        return 0;
    write_head(at, 1, RTPFB, 12 + 4 * entries);
    swarm_write_32(at + 4, viewer->ssrc);
    swarm_write_32(at + 8, stream->media.ssrc);
    viewer->counts.nacks++;
    viewer->counts.nacked += asked;
    return 12 + 4 * entries;
}

void swarm_ask(swarm_viewer *viewer, uint64_t now_ns) {
    uint8_t packet[SWARM_DATAGRAM];
    viewer->asks = false;
    for (int n = 0; n < SWARM_STREAMS; n++) {
        swarm_stream *stream = &viewer->streams[n];
        size_t size = stream->video && stream->gap_count > 0 ? write_nack(packet, viewer, stream, now_ns) : 0;
        if (size > 0)
            leave(viewer, packet, size);
    }
}

/* Those that waited too long are lost; whether a picture was among them. */
static bool give_up(swarm_viewer *viewer, swarm_stream *stream, uint64_t now_ns) {
    uint64_t limit = stream->video ? GIVE_UP_NS : GIVE_UP_SOUND_NS;
    bool lost = false;
    for (unsigned n = 0; n < stream->gap_count;) {
        swarm_gap *gap = &stream->gaps[n];
        if (now_ns < gap->since_ns + limit && gap->tries <= MAX_TRIES) {
            n++;
            continue;
        }
        if (stream->video)
            viewer->counts.lost++;
        else
            viewer->counts.audio_lost++;
        lost = stream->video;
        memmove(gap, gap + 1, (--stream->gap_count - n) * sizeof *gap);
    }
    return lost;
}

/* RFC 3550 6.4.1. */
static void write_block(uint8_t *at, swarm_stream *stream, uint64_t now_ns) {
    uint64_t expected = (uint64_t)(stream->media.highest - stream->base + 1);
    int64_t lost = (int64_t)(expected - stream->received);
    uint64_t expected_since = expected - stream->expected_before;
    int64_t lost_since = (int64_t)expected_since - (int64_t)(stream->received - stream->received_before);
    uint32_t fraction = 0;
    if (expected_since > 0 && lost_since > 0)
        fraction = (uint32_t)((lost_since << 8) / (int64_t)expected_since);
    stream->expected_before = expected;
    stream->received_before = stream->received;
    swarm_write_32(at, stream->media.ssrc);
    swarm_write_32(at + 4, (fraction > 255 ? 255 : fraction) << 24 | ((uint32_t)lost & 0xFFFFFF));
    swarm_write_32(at + 8, (uint32_t)stream->media.highest);
    swarm_write_32(at + 12, stream->jitter_16 >> 4);
    swarm_write_32(at + 16, stream->last_sr);
    swarm_write_32(at + 20, stream->last_sr ? (uint32_t)((now_ns - stream->last_sr_ns) * 8192 / 125000000) : 0);
}

/* draft-alvestrand-rmcat-remb-03 2.2: twice what came, at least a megabit, as one whose link is not full says. */
static size_t write_remb(uint8_t *at, swarm_viewer *viewer, uint64_t now_ns) {
    uint64_t bits = (viewer->counts.bytes - viewer->bytes_before) * 8, elapsed = now_ns - viewer->reported_ns;
    uint64_t rate = viewer->reported_ns > 0 && elapsed > 0 ? 2 * bits * 1000 / (elapsed / 1000000 + 1) : 0;
    uint32_t exponent = 0;
    viewer->bytes_before = viewer->counts.bytes;
    viewer->reported_ns = now_ns;
    if (rate < 1000000)
        rate = 1000000;
    while (rate >> exponent >= 1u << 18)
        exponent++;
    write_head(at, 15, PSFB, 24);
    swarm_write_32(at + 4, viewer->ssrc);
    swarm_write_32(at + 8, 0);
    memcpy(at + 12, "REMB", 4);
    swarm_write_32(at + 16, 1u << 24 | exponent << 18 | (uint32_t)(rate >> exponent));
    swarm_write_32(at + 20, viewer->streams[1].media.ssrc);
    return 24;
}

/* RFC 4585 6.3.1. */
static size_t write_pli(uint8_t *at, swarm_viewer *viewer) {
    write_head(at, 1, PSFB, 12);
    swarm_write_32(at + 4, viewer->ssrc);
    swarm_write_32(at + 8, viewer->streams[1].media.ssrc);
    viewer->counts.plis++;
    return 12;
}

/* RFC 3550 6.5: a CNAME of eight letters. */
static size_t write_name(uint8_t *at, const swarm_viewer *viewer) {
    write_head(at, 1, SDES, 20);
    swarm_write_32(at + 4, viewer->ssrc);
    at[8] = 1;
    at[9] = 8;
    for (int n = 0; n < 8; n++)
        at[10 + n] = (uint8_t)('a' + (viewer->ssrc >> (4 * n) & 15));
    at[18] = at[19] = 0;
    return 20;
}

static void report(swarm_viewer *viewer, uint64_t now_ns) {
    uint8_t packet[256];
    size_t size = 8;
    unsigned blocks = 0;
    for (int n = 0; n < SWARM_STREAMS; n++)
        if (viewer->streams[n].media.heard) {
            write_block(packet + size, &viewer->streams[n], now_ns);
            size += 24;
            blocks++;
        }
    write_head(packet, blocks, RR, size);
    swarm_write_32(packet + 4, viewer->ssrc);
    size += write_name(packet + size, viewer);
    if (viewer->streams[1].media.heard)
        size += write_remb(packet + size, viewer, now_ns);
    leave(viewer, packet, size);
    viewer->counts.reports++;
}

void swarm_tick(swarm_viewer *viewer, uint64_t now_ns) {
    bool lost = false;
    if (viewer->publishes)
        return;
    for (int n = 0; n < SWARM_STREAMS; n++)
        if (viewer->streams[n].gap_count > 0) {
            lost |= give_up(viewer, &viewer->streams[n], now_ns);
            viewer->asks |= viewer->streams[n].gap_count > 0;
        }
    viewer->wants_picture |= lost;
    if (viewer->asks)
        swarm_ask(viewer, now_ns);
    if (viewer->wants_picture && viewer->streams[1].media.heard && now_ns >= viewer->pli_ns + PLI_NS) {
        uint8_t packet[64];
        leave(viewer, packet, write_pli(packet, viewer));
        viewer->pli_ns = now_ns;
        viewer->wants_picture = viewer->counts.first_picture_ns == 0;
    }
    if (now_ns >= viewer->report_due_ns) {
        report(viewer, now_ns);
        viewer->report_due_ns = now_ns + REPORT_NS;
    }
}
