/* From one packet to every viewer's: rewrite, protect, send. The part that runs a million times a second. */

#include <string.h>

#include "_fanout_siphash.h"
#include "_fanout_tables.h"

enum { RTP_HEADER = 12, FLAGS_WORDS = 4, FLAGS_DARK = 1, FLAGS_LEASE = 2, FLAGS_HOLD = 3 };

/* `Flags.allows`. Other threads write the words, each whole. */
static bool allows(const fanout *self, const fanout_gate *gate) {
    const uint64_t *words = self->words + (size_t)gate->room * FLAGS_WORDS;
    uint64_t dark = __atomic_load_n(words + FLAGS_DARK, __ATOMIC_ACQUIRE);
    uint64_t hold = __atomic_load_n(words + FLAGS_HOLD, __ATOMIC_ACQUIRE);
    return !((dark | hold) & gate->kind) && gate->now_ns < __atomic_load_n(words + FLAGS_LEASE, __ATOMIC_ACQUIRE);
}

/* Once more at the last moment: a cut that came while the packets were gathered holds them back. */
static void flush(fanout *self, const fanout_gate *gate) {
    if (self->wire.count > 0)
        fanout_wire_flush(&self->wire, gate == NULL || allows(self, gate), &self->stats);
}

static bool may_send(fanout *self, const fanout_gate *gate) {
    if (allows(self, gate))
        return true;
    self->stats.held++;
    return false;
}

static uint32_t read_32(const uint8_t *at) {
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static void write_32(uint8_t *at, uint32_t value) {
    at[0] = (uint8_t)(value >> 24);
    at[1] = (uint8_t)(value >> 16);
    at[2] = (uint8_t)(value >> 8);
    at[3] = (uint8_t)value;
}

/* `header.parse` (RFC 3550 5.1). A malformed packet is counted. */
static bool read_source(fanout *self, const fanout_packet *packet, fanout_source *into) {
    const uint8_t *data = packet->data;
    size_t size = packet->size, offset = RTP_HEADER, padding = 0;
    if (size < RTP_HEADER || (data[0] & 0xC0) != 0x80)
        goto malformed;
    offset += 4 * (size_t)(data[0] & 0x0F);
    if (data[0] & 0x10) {
        if (size < offset + 4)
            goto malformed;
        offset += 4 + 4 * ((size_t)data[offset + 2] << 8 | data[offset + 3]);
    }
    if (size < offset)
        goto malformed;
    if (data[0] & 0x20) {
        padding = data[size - 1];
        if (padding == 0 || padding > size - offset)
            goto malformed;
    }
    *into = (fanout_source){
        .packet = *packet,
        .payload = data + offset,
        .payload_size = size - offset - padding,
        .timestamp = read_32(data + 4),
        .sequence = (uint16_t)(data[2] << 8 | data[3]),
        .marker = data[1] & 0x80,
    };
    return true;
malformed:
    self->stats.refused++;
    return false;
}

/* All that the packet under `index` is made of, as 64 bits. */
static uint64_t fingerprint(const fanout *self, const fanout_row *row, fanout_source *from, int64_t index,
                            uint32_t timestamp) {
    if (!from->hashed) {
        from->hash = fanout_siphash(self->secret, from->packet.data, from->packet.size);
        from->hashed = true;
    }
    const uint64_t parts[] = {from->hash, (uint64_t)index, (uint64_t)timestamp << 8 | row->payload_type};
    return fanout_siphash(self->secret, (const uint8_t *)parts, sizeof parts);
}

static size_t write_header(uint8_t *packet, const fanout_row *row, uint8_t second, uint16_t sequence,
                           uint32_t timestamp, uint32_t ssrc) {
    packet[0] = row->extension_size > 0 ? 0x90 : 0x80;
    packet[1] = second;
    packet[2] = (uint8_t)(sequence >> 8);
    packet[3] = (uint8_t)sequence;
    write_32(packet + 4, timestamp);
    write_32(packet + 8, ssrc);
    memcpy(packet + RTP_HEADER, fanout_row_extension(row), row->extension_size);
    return RTP_HEADER + (size_t)row->extension_size;
}

/* What one outgoing packet is, before it is protected. `original` >= 0: repeated by RTX, its number first. */
typedef struct {
    uint32_t ssrc, timestamp;
    uint8_t payload_type;
    int original;
} outgoing;

/* Protect under `index` and gather. The caller has made sure that the index was not used for anything else. */
static void gather(fanout *self, const fanout_gate *gate, const fanout_row *row, const fanout_source *from,
                   int64_t index, const outgoing *how) {
    fanout_session *session = row->session;
    size_t number_size = how->original >= 0 ? 2 : 0;
    size_t size = RTP_HEADER + row->extension_size + number_size + from->payload_size + session->rtp.tag_size;
    if (size > FANOUT_DATAGRAM) {
        self->stats.dropped++;
        return;
    }
    if (fanout_wire_is_full(&self->wire, size))
        flush(self, gate);
    uint8_t *packet = fanout_wire_reserve(&self->wire, size);
    size_t header = write_header(packet, row, from->marker | how->payload_type, (uint16_t)index, how->timestamp,
                                 how->ssrc);
    const uint8_t *payload = from->payload;
    if (number_size > 0) {
        packet[header] = (uint8_t)(how->original >> 8);
        packet[header + 1] = (uint8_t)how->original;
        memcpy(packet + header + 2, payload, from->payload_size);
        payload = packet + header;
    }
    if (fanout_protect(&session->rtp, how->ssrc, (uint64_t)index, packet, header, payload,
                       from->payload_size + number_size))
        fanout_wire_commit(&self->wire, size, &session->address, session->address_size);
    else
        self->stats.dropped++;
}

/* Under a number not used before; false when it was refused. */
static bool send_media(fanout *self, const fanout_gate *gate, fanout_row *row, fanout_source *from,
                       uint16_t sequence, uint32_t timestamp) {
    int64_t index = fanout_window_take(row->window, sequence, row->floor);
    if (index < 0) {
        self->stats.refused++;
        return false;
    }
    if (index == row->window->highest) {
        row->last_sequence = sequence;
        row->last_timestamp = timestamp;
    }
    if (row->fingerprints != NULL)
        row->fingerprints[index % FANOUT_REPEATABLE] = fingerprint(self, row, from, index, timestamp);
    row->packets++;
    row->octets += from->payload_size;
    gather(self, gate, row, from, index,
           &(outgoing){.ssrc = row->ssrc, .timestamp = timestamp, .payload_type = row->payload_type, .original = -1});
    return true;
}

static int64_t read_sources(fanout *self, const fanout_packet *packets, size_t count) {
    fanout_source *sources = fanout_grown(self->sources, &self->source_room, count, sizeof *sources);
    size_t read = 0;
    if (sources == NULL)
        return FANOUT_NO_MEMORY;
    self->sources = sources;
    for (size_t n = 0; n < count; n++)
        read += read_source(self, &packets[n], &sources[read]);
    return (int64_t)read;
}

int64_t fanout_send(fanout *self, int64_t table, const fanout_gate *gate, const fanout_packet *packets,
                    size_t count) {
    fanout_table *found = fanout_table_of(&self->registry, table);
    if (found == NULL || found->used == found->empty)
        return 0;
    int64_t read = read_sources(self, packets, count);
    if (read < 0)
        return read;
    uint64_t before = self->stats.sent;
    for (size_t position = 0; position < found->used; position++) {
        fanout_row *row = &found->rows[position];
        if (!row->live)
            continue;
        if (!allows(self, gate)) {
            self->stats.held += (uint64_t)read;
            continue;
        }
        fanout_wire_part(&self->wire);
        for (int64_t n = 0; n < read; n++) {
            fanout_source *from = &self->sources[n];
            send_media(self, gate, row, from, (uint16_t)(from->sequence + row->sequence_offset),
                       from->timestamp + row->timestamp_offset);
        }
    }
    flush(self, gate);
    return (int64_t)(self->stats.sent - before);
}

int64_t fanout_send_row(fanout *self, int64_t row, const fanout_gate *gate, const fanout_packet *packet,
                        uint32_t timestamp) {
    fanout_row *found = fanout_row_of(&self->registry, row);
    fanout_source from;
    if (found == NULL || !may_send(self, gate) || !read_source(self, packet, &from))
        return -1;
    uint16_t sequence = (uint16_t)(from.sequence + found->sequence_offset);
    if (!send_media(self, gate, found, &from, sequence, timestamp))
        return -1;
    flush(self, gate);
    return sequence;
}

/* Without RTX: under the same index only the same octets may be protected again; compare before doing it. */
static bool repeat(fanout *self, const fanout_gate *gate, const fanout_row *row, fanout_source *from,
                   uint16_t sequence, uint32_t timestamp) {
    int64_t index = fanout_window_guess(row->window, sequence);
    if (index < 0)
        return false;
    if (row->fingerprints[index % FANOUT_REPEATABLE] != fingerprint(self, row, from, index, timestamp)) {
        self->stats.refused++;
        return false;
    }
    gather(self, gate, row, from, index,
           &(outgoing){.ssrc = row->ssrc, .timestamp = timestamp, .payload_type = row->payload_type, .original = -1});
    return true;
}

bool fanout_send_rtx(fanout *self, int64_t row, const fanout_gate *gate, const fanout_packet *packet,
                     uint16_t out_sequence, uint32_t timestamp) {
    fanout_row *found = fanout_row_of(&self->registry, row);
    fanout_source from;
    if (found == NULL || !may_send(self, gate) || !read_source(self, packet, &from))
        return false;
    uint64_t before = self->stats.sent;
    if (found->rtx_window == NULL) {
        if (!repeat(self, gate, found, &from, out_sequence, timestamp))
            return false;
    } else {
        int64_t index = found->rtx_window->highest + 1;
        fanout_window_mark(found->rtx_window, index);
        gather(self, gate, found, &from, index,
               &(outgoing){.ssrc = found->rtx_ssrc,
                           .timestamp = timestamp,
                           .payload_type = found->rtx_payload_type,
                           .original = out_sequence});
    }
    flush(self, gate);
    return self->stats.sent > before;
}

int fanout_send_rtcp(fanout *self, int64_t session, const fanout_packet *packet) {
    fanout_session *found = fanout_session_of(&self->registry, session);
    if (found == NULL)
        return 0;
    if (found->rtcp_index > 0x7FFFFFFF)
        return FANOUT_USED_UP;
    uint32_t index = found->rtcp_index++, ssrc = 0;
    for (size_t n = 4; n < packet->size && n < 8; n++)
        ssrc = ssrc << 8 | packet->data[n];
    uint64_t before = self->stats.sent;
    if (packet->size + FANOUT_RTCP_TRAILER > FANOUT_DATAGRAM) {
        self->stats.dropped++;
        return 0;
    }
    uint8_t *out = fanout_wire_reserve(&self->wire, packet->size + FANOUT_RTCP_TRAILER);
    memcpy(out, packet->data, packet->size);
    size_t size = fanout_protect_rtcp(&found->rtcp, ssrc, index, out, packet->size);
    if (size == 0) {
        self->stats.dropped++;
        return 0;
    }
    fanout_wire_commit(&self->wire, size, &found->address, found->address_size);
    flush(self, NULL);
    return self->stats.sent > before;
}
