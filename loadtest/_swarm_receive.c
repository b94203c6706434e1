#include "_swarm.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 12, FAR = 3000 }; /* RFC 3550 A.1: a jump this wide is a new beginning */
enum { TRAILER = 20 };            /* loadtest/source.py: "Stmp", 10 octets of time, 5 of frame, 1 of kind */

/* The index under which `sequence` is nearest to the highest (RFC 3711 3.3.1). */
static int64_t guess(const swarm_source *source, uint16_t sequence) {
    if (!source->heard)
        return sequence;
    int64_t index = source->highest + (int16_t)(uint16_t)(sequence - (uint16_t)source->highest);
    return index < 0 ? index + 65536 : index;
}

static bool is_seen(const swarm_stream *stream, int64_t index) {
    return stream->seen[index % SWARM_WINDOW / 64] >> (index % 64) & 1;
}

static void mark(swarm_stream *stream, int64_t index, bool seen) {
    uint64_t *word = &stream->seen[index % SWARM_WINDOW / 64], bit = (uint64_t)1 << (index % 64);
    *word = seen ? *word | bit : *word & ~bit;
}

static bool fill_gap(swarm_stream *stream, int64_t index, unsigned *tries) {
    for (unsigned n = 0; n < stream->gap_count; n++)
        if (stream->gaps[n].index == index) {
            *tries = stream->gaps[n].tries;
            memmove(&stream->gaps[n], &stream->gaps[n + 1], (--stream->gap_count - n) * sizeof *stream->gaps);
            return true;
        }
    return false;
}

/* The stream goes on behind `index`. */
static void begin(swarm_stream *stream, uint32_t ssrc, int64_t index) {
    memset(stream->seen, 0, sizeof stream->seen);
    stream->media = (swarm_source){.ssrc = ssrc, .heard = true, .highest = index};
    stream->rtx.heard = false;
    stream->gap_count = 0;
    stream->base = index + 1;
    stream->received = stream->expected_before = stream->received_before = 0;
    stream->jitter_16 = stream->transit = 0;
    stream->picture_begins = stream->picture_ends = -1;
}

static uint64_t *lost_of(swarm_viewer *viewer, const swarm_stream *stream) {
    return stream->video ? &viewer->counts.lost : &viewer->counts.audio_lost;
}

/* Those between the highest so far and `index` are missing. */
static void advance(swarm_viewer *viewer, swarm_stream *stream, int64_t index, uint64_t at_ns) {
    for (int64_t missing = stream->media.highest + 1; missing < index; missing++) {
        mark(stream, missing, false);
        if (stream->gaps == NULL)
            stream->gaps = calloc(SWARM_GAPS, sizeof *stream->gaps);
        if (stream->gaps == NULL || stream->gap_count == SWARM_GAPS) {
            *lost_of(viewer, stream) += 1;
            continue;
        }
        stream->gaps[stream->gap_count++] = (swarm_gap){.index = missing, .since_ns = at_ns};
        viewer->asks = stream->video;
    }
    stream->media.highest = index;
}

/* RFC 3550 A.8. */
static void measure_jitter(swarm_stream *stream, uint32_t timestamp, uint64_t at_ns) {
    uint32_t transit = (uint32_t)(at_ns / 1000 * stream->clock_rate / 1000000) - timestamp;
    if (stream->received > 0) {
        int32_t change = (int32_t)(transit - stream->transit);
        stream->jitter_16 += (uint32_t)(change < 0 ? -change : change) - ((stream->jitter_16 + 8) >> 4);
    }
    stream->transit = transit;
}

/* RFC 6184 5.2 and 5.8: parameter sets or an IDR slice begin here. */
static bool begins_h264_keyframe(const uint8_t *payload, size_t size) {
    unsigned type = payload[0] & 0x1F;
    if (type == 28)
        return size > 1 && payload[1] & 0x80 && (payload[1] & 0x1F) == 5;
    if (type == 24 && size > 3)
        type = payload[3] & 0x1F;
    return type == 7 || type == 5;
}

/* Whether the first keyframe is whole: every number from its beginning to its marker has come. */
static bool has_picture(swarm_stream *stream, int64_t index, uint32_t timestamp, bool marker,
                        const uint8_t *payload, size_t size) {
    if (size > 0 && begins_h264_keyframe(payload, size) &&
        (stream->picture_begins < 0 || timestamp != stream->picture_timestamp || index < stream->picture_begins)) {
        if (timestamp != stream->picture_timestamp)
            stream->picture_ends = -1;
        stream->picture_begins = index;
        stream->picture_timestamp = timestamp;
    }
    if (stream->picture_begins < 0 || timestamp != stream->picture_timestamp)
        return false;
    if (marker)
        stream->picture_ends = index;
    if (stream->picture_ends < 0)
        return false;
    for (int64_t n = stream->picture_begins; n <= stream->picture_ends; n++)
        if (!is_seen(stream, n))
            return false;
    return true;
}

unsigned swarm_bucket(uint64_t ns) {
    if (ns < 32)
        return (unsigned)ns;
    unsigned power = 63 - (unsigned)__builtin_clzll(ns);
    unsigned bucket = (power - 4) * 32 + (unsigned)(ns >> (power - 5) & 31);
    return bucket < SWARM_BUCKETS ? bucket : SWARM_BUCKETS - 1;
}

static uint64_t read_sevens(const uint8_t *at, int count) {
    uint64_t value = 0;
    for (int n = 0; n < count; n++)
        value = value << 7 | (at[n] & 0x7F);
    return value;
}

/* How long a packet that says when it left was on its way, and where its picture is. */
static void measure_way(swarm *self, bool video, const uint8_t *payload, size_t size, uint64_t at_ns) {
    if (size < TRAILER || memcmp(payload + size - TRAILER, "Stmp", 4) != 0)
        return;
    const uint8_t *stamp = payload + size - TRAILER + 4;
    uint64_t sent_ns = read_sevens(stamp, 10), number = read_sevens(stamp + 10, 5);
    self->latency[swarm_bucket(at_ns > sent_ns ? at_ns - sent_ns : 0)]++;
    if (!video)
        return;
    swarm_frame *frame = &self->frames[number % SWARM_FRAMES];
    if (frame->packets == 0 || frame->number < number)
        *frame = (swarm_frame){.number = number, .first_sent_ns = sent_ns};
    if (frame->number > number)
        return;
    if (sent_ns < frame->first_sent_ns)
        frame->first_sent_ns = sent_ns;
    if (sent_ns > frame->last_sent_ns)
        frame->last_sent_ns = sent_ns;
    if (at_ns > frame->last_arrived_ns)
        frame->last_arrived_ns = at_ns;
    frame->packets++;
}

/* A new packet, by itself or by RTX, counts once. False: it had come before, or is too old to tell. */
static bool take(swarm_viewer *viewer, swarm_stream *stream, int64_t index, bool by_rtx, uint64_t at_ns) {
    unsigned tries = 0;
    if (index > stream->media.highest) {
        advance(viewer, stream, index, at_ns);
    } else if (index <= stream->media.highest - SWARM_WINDOW || is_seen(stream, index)) {
        viewer->counts.duplicates++;
        return false;
    } else if (fill_gap(stream, index, &tries)) {
        if (by_rtx || tries > 0)
            viewer->counts.repaired++;
        else
            viewer->counts.reordered++;
    } else if (index >= stream->base && *lost_of(viewer, stream) > 0) { /* given up meanwhile */
        *lost_of(viewer, stream) -= 1;
        viewer->counts.repaired++;
    }
    mark(stream, index, true);
    return true;
}

typedef struct {
    uint8_t *data;
    size_t size, header;
    uint16_t sequence;
    uint32_t timestamp, ssrc;
    bool marker;
} parsed;

static bool parse(uint8_t *data, size_t size, parsed *into) {
    size_t header = HEADER + 4 * (size_t)(data[0] & 0x0F);
    if (size < header || (data[0] & 0x10 && size < header + 4))
        return false;
    if (data[0] & 0x10)
        header += 4 + 4 * ((size_t)data[header + 2] << 8 | data[header + 3]);
    *into = (parsed){
        .data = data,
        .size = size,
        .header = header,
        .sequence = (uint16_t)(data[2] << 8 | data[3]),
        .timestamp = swarm_read_32(data + 4),
        .ssrc = swarm_read_32(data + 8),
        .marker = data[1] & 0x80,
    };
    return size >= header;
}

/* Decrypts where it lies. Another SSRC than before begins anew once a packet of it is authentic. */
static int64_t open_packet(swarm_viewer *viewer, swarm_source *source, parsed *packet) {
    bool known = source->heard && source->ssrc == packet->ssrc;
    int64_t index = known ? guess(source, packet->sequence) : packet->sequence;
    size_t left = fanout_unprotect(&viewer->rtp_in, packet->ssrc, (uint64_t)index, packet->data, packet->header,
                                   packet->size);
    if (left == 0) {
        viewer->counts.unauthentic++;
        return -1;
    }
    packet->size = left;
    if (packet->data[0] & 0x20 && left > packet->header && packet->data[left - 1] <= left - packet->header)
        packet->size -= packet->data[left - 1];
    return index;
}

/* The number of what an RTX packet repeats (RFC 4588 4), whose payload begins 2 octets later; or -1. */
static int64_t original_of(const swarm_stream *stream, parsed *packet) {
    if (!stream->media.heard || packet->size < packet->header + 2)
        return -1; /* a probe for bandwidth, or too early to know what it repeats */
    uint16_t original = (uint16_t)(packet->data[packet->header] << 8 | packet->data[packet->header + 1]);
    packet->header += 2;
    return guess(&stream->media, original);
}

static bool discards(swarm *self) {
    self->random ^= self->random << 13; /* xorshift64 */
    self->random ^= self->random >> 7;
    self->random ^= self->random << 17;
    return (uint32_t)(self->random >> 32) < self->loss;
}

static void count(swarm_viewer *viewer, const swarm_stream *stream, size_t octets, uint64_t at_ns) {
    swarm_counts *counts = &viewer->counts;
    counts->packets++;
    counts->bytes += octets;
    if (stream->video)
        counts->video_packets++;
    else
        counts->audio_packets++;
    if (counts->first_packet_ns == 0)
        counts->first_packet_ns = at_ns;
    counts->last_packet_ns = at_ns;
}

void swarm_rtp(swarm *self, swarm_viewer *viewer, uint8_t *data, size_t size, uint64_t at_ns) {
    parsed packet;
    unsigned agreed = viewer->by_type[data[1] & 0x7F];
    if (!parse(data, size, &packet)) {
        viewer->counts.malformed++;
        return;
    }
    if (agreed == 0) {
        viewer->counts.unknown++;
        return;
    }
    if (self->loss > 0 && discards(self)) {
        viewer->counts.discarded++;
        return;
    }
    bool by_rtx = (agreed - 1) & 1;
    swarm_stream *stream = &viewer->streams[(agreed - 1) / 2];
    swarm_source *source = by_rtx ? &stream->rtx : &stream->media;
    int64_t index = open_packet(viewer, source, &packet);
    if (index < 0)
        return;
    if (by_rtx) {
        if (!source->heard || source->ssrc != packet.ssrc || index > source->highest)
            *source = (swarm_source){.ssrc = packet.ssrc, .heard = true, .highest = index};
        index = original_of(stream, &packet);
        if (index < 0)
            return;
    } else {
        bool jumped = source->heard && (index - source->highest > FAR || source->highest - index > FAR);
        if (!source->heard || source->ssrc != packet.ssrc || jumped)
            begin(stream, packet.ssrc, index - 1);
        measure_jitter(stream, packet.timestamp, at_ns);
        stream->received++;
    }
    if (!take(viewer, stream, index, by_rtx, at_ns))
        return;
    count(viewer, stream, size, at_ns);
    const uint8_t *payload = packet.data + packet.header;
    size_t payload_size = packet.size - packet.header;
    /* A keyframe is asked for at once when the first packet does not begin one, else when it is late. */
    if (stream->video && viewer->pli_ns == 0 && payload_size > 0 && begins_h264_keyframe(payload, payload_size))
        viewer->pli_ns = at_ns;
    if (stream->video && viewer->counts.first_picture_ns == 0 &&
        has_picture(stream, index, packet.timestamp, packet.marker, payload, payload_size)) {
        viewer->counts.first_picture_ns = at_ns;
        viewer->wants_picture = false;
    }
    if (self->measuring && !by_rtx)
        measure_way(self, stream->video, payload, payload_size, at_ns);
}
