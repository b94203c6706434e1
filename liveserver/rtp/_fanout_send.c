/* From one packet to every viewer's: rewrite, protect, send. The part that runs a million times a second. */

#include "_fanout_out.h"
#include "_fanout_siphash.h"

enum { RTP_HEADER = 12 };
enum { MAX_PADDING = 32, STREAM_RETRY_NS = 10000000 };

static bool may_send(fanout *self, const fanout_gate *gate) {
    if (allows(self, gate))
        return true;
    self->stats.held++;
    return false;
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
                            uint32_t timestamp, uint8_t pad) {
    if (!from->hashed) {
        from->hash = fanout_siphash(self->secret, from->packet.data, from->packet.size);
        from->hashed = true;
    }
    const uint64_t parts[] = {from->hash, (uint64_t)index, (uint64_t)timestamp << 16 | (uint64_t)pad << 8 | row->payload_type};
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
    uint8_t payload_type, pad;
    int original;
} outgoing;

/* Protect under `index` and gather. The caller has made sure that the index was not used for anything else. */
static void gather(fanout *self, const fanout_gate *gate, const fanout_row *row, const fanout_source *from,
                   int64_t index, const outgoing *how) {
    fanout_session *session = row->session;
    size_t number_size = how->original >= 0 ? 2 : 0;
    size_t payload_size = number_size + from->payload_size + how->pad;
    size_t size = RTP_HEADER + row->extension_size + payload_size + session->rtp.tag_size;
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
    } else if (how->pad > 0) {
        packet[0] |= 0x20;
        memcpy(packet + header, payload, from->payload_size);
        memset(packet + header + from->payload_size, 0, how->pad);
        packet[header + payload_size - 1] = how->pad;
        payload = packet + header;
    }
    if (fanout_protect(&session->rtp, how->ssrc, (uint64_t)index, packet, header, payload, payload_size))
        hand_over(self, gate, &session->address, session->address_size, packet, size);
    else
        self->stats.dropped++;
}

/* Under a number not used before; false when it was refused. */
static bool send_media(fanout *self, const fanout_gate *gate, fanout_row *row, fanout_source *from,
                       uint32_t timestamp, uint8_t pad) {
    uint16_t sequence = (uint16_t)(from->sequence + row->sequence_offset);
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
        row->fingerprints[index % FANOUT_REPEATABLE] = fingerprint(self, row, from, index, timestamp, pad);
    row->last_sent_ns = (int64_t)gate->now_ns;
    row->packets++;
    row->octets += from->payload_size;
    gather(self, gate, row, from, index,
           &(outgoing){.ssrc = row->ssrc,
                       .timestamp = timestamp,
                       .payload_type = row->payload_type,
                       .pad = pad,
                       .original = -1});
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

/* So that packets that leave together are of one size: then the kernel takes them as one message (UDP GSO), of
 * which all but the last must be equal and none larger. */
static void fill_up(fanout_source *sources, size_t count) {
    size_t largest = 0;
    for (size_t n = 0; n < count; n++)
        if (sources[n].payload_size > largest)
            largest = sources[n].payload_size;
    for (size_t n = 0; n + 1 < count; n++) {
        size_t pad = largest - sources[n].payload_size;
        sources[n].pad = pad <= MAX_PADDING ? (uint8_t)pad : 0;
    }
}

static void go_live(fanout_table *table, const fanout_source *first) {
    for (size_t position = 0; position < table->used; position++) {
        fanout_row *row = &table->rows[position];
        if (row->replay != NULL &&
            fanout_replay_may_go_live(row->replay, &table->history, first->timestamp + row->timestamp_offset)) {
            fanout_row_stop(row);
            row->live = true;
        }
    }
}

int64_t fanout_send(fanout *self, int64_t table, const fanout_packet *packets, size_t count, int64_t now_ns) {
    fanout_table *found = fanout_table_of(&self->registry, table);
    if (found == NULL)
        return 0;
    int64_t read = read_sources(self, packets, count);
    if (read <= 0)
        return read;
    const fanout_gate gate = gate_of(found, now_ns);
    if (self->replaying.used > 0)
        go_live(found, &self->sources[0]);
    for (int64_t n = 0; n < read; n++)
        fanout_history_add(&found->history, &self->sources[n]);
    fill_up(self->sources, (size_t)read);
    uint64_t before = self->stats.sent;
    begin_sending(self, gate.room);
    for (size_t position = 0; position < found->used; position++) {
        fanout_row *row = &found->rows[position];
        if (!row->live)
            continue;
        if (!allows(self, &gate)) {
            self->stats.held += (uint64_t)read;
            continue;
        }
        fanout_wire_part(&self->wire);
        for (int64_t n = 0; n < read; n++) {
            fanout_source *from = &self->sources[n];
            send_media(self, &gate, row, from, from->timestamp + row->timestamp_offset, from->pad);
        }
    }
    flush(self, &gate);
    end_sending(self, gate.room);
    return (int64_t)(self->stats.sent - before);
}

/* ---- catching up */

int fanout_replay_row(fanout *self, int64_t row, uint16_t first_sequence, uint32_t anchor_timestamp,
                      int64_t anchor_ns, int64_t due_ns, int64_t spare_bps) {
    fanout_row *found = fanout_row_of(&self->registry, row);
    const fanout_table *table = found != NULL ? fanout_table_of_row(&self->registry, row) : NULL;
    if (table == NULL)
        return 0;
    fanout_row_stop(found);
    found->replay = fanout_replay_new(&table->history, &(fanout_start){
        .first_sequence = first_sequence,
        .anchor_timestamp = anchor_timestamp,
        .anchor_ns = anchor_ns,
        .due_ns = due_ns,
        .spare_bps = spare_bps,
        .timestamp_offset = found->timestamp_offset,
        .last_timestamp = found->last_timestamp,
        .has_last = found->packets > 0,
    });
    if (found->replay == NULL)
        return FANOUT_NO_MEMORY;
    for (size_t n = 0; n < self->replaying.used; n++)
        if (self->replaying.numbers[n] == row)
            return 0;
    return fanout_list_add(&self->replaying, row);
}

static void send_replayed(fanout *self, fanout_row *row, const fanout_table *table, int64_t now_ns) {
    const fanout_gate gate = gate_of(table, now_ns);
    fanout_frame frame;
    uint32_t timestamp;
    if (!fanout_replay_pop(row->replay, &table->history, now_ns, &frame, &timestamp))
        return;
    begin_sending(self, gate.room);
    fanout_wire_part(&self->wire);
    for (int64_t number = frame.first; number < frame.end; number++) {
        fanout_source *from = fanout_history_get(&table->history, number);
        if (from != NULL && may_send(self, &gate))
            row->replayed += send_media(self, &gate, row, from, timestamp, 0);
    }
    flush(self, &gate);
    end_sending(self, gate.room);
    fanout_stamps_add(&row->stamps, frame.timestamp, timestamp);
}

static int64_t sooner(int64_t one_ns, int64_t other_ns) {
    return one_ns < 0 || (other_ns >= 0 && other_ns < one_ns) ? other_ns : one_ns;
}

int64_t fanout_pace(fanout *self, int64_t now_ns, const int64_t **lost, size_t *lost_count) {
    size_t kept = 0;
    int64_t next_ns = -1;
    self->lost.used = 0;
    for (size_t n = 0; n < self->replaying.used; n++) {
        int64_t number = self->replaying.numbers[n];
        fanout_row *row = fanout_row_of(&self->registry, number);
        if (row == NULL || row->replay == NULL)
            continue;
        const fanout_table *table = fanout_table_of_row(&self->registry, number);
        if (fanout_replay_overrun(row->replay, &table->history)) {
            fanout_row_stop(row);
            fanout_list_add(&self->lost, number);
            continue;
        }
        send_replayed(self, row, table, now_ns);
        next_ns = sooner(next_ns, fanout_replay_due_ns(row->replay, &table->history));
        self->replaying.numbers[kept++] = number;
    }
    self->replaying.used = kept;
    if (fanout_streams_flush(self, now_ns))
        next_ns = sooner(next_ns, now_ns + STREAM_RETRY_NS);
    *lost = self->lost.numbers;
    *lost_count = self->lost.used;
    return next_ns;
}

/* ---- repair */

/* Without RTX: under the same index only the same octets may be protected again; compare before doing it. */
static bool repeat(fanout *self, const fanout_gate *gate, const fanout_row *row, fanout_source *from,
                   uint16_t sequence, uint32_t timestamp) {
    int64_t index = fanout_window_guess(row->window, sequence);
    if (index < 0)
        return false;
    uint64_t sent = row->fingerprints[index % FANOUT_REPEATABLE];
    for (uint8_t pad = 0; pad <= MAX_PADDING; pad++) { /* with the padding it left with */
        if (sent != fingerprint(self, row, from, index, timestamp, pad))
            continue;
        gather(self, gate, row, from, index,
               &(outgoing){.ssrc = row->ssrc,
                           .timestamp = timestamp,
                           .payload_type = row->payload_type,
                           .pad = pad,
                           .original = -1});
        return true;
    }
    self->stats.refused++;
    return false;
}

static bool send_rtx(fanout *self, const fanout_gate *gate, fanout_row *row, fanout_source *from,
                     uint16_t out_sequence, uint32_t timestamp) {
    uint64_t before = self->stats.sent;
    if (row->rtx_window == NULL) {
        if (!repeat(self, gate, row, from, out_sequence, timestamp))
            return false;
    } else {
        int64_t index = row->rtx_window->highest + 1;
        fanout_window_mark(row->rtx_window, index);
        gather(self, gate, row, from, index,
               &(outgoing){.ssrc = row->rtx_ssrc,
                           .timestamp = timestamp,
                           .payload_type = row->rtx_payload_type,
                           .original = out_sequence});
    }
    flush(self, gate);
    return self->stats.sent > before;
}

int64_t fanout_retransmit(fanout *self, int64_t session, uint32_t ssrc, const uint16_t *sequences, size_t count,
                          int64_t now_ns) {
    fanout_row *row = fanout_row_by_ssrc(&self->registry, session, ssrc);
    const fanout_table *table = row != NULL ? fanout_table_of_row(&self->registry, row->number) : NULL;
    if (table == NULL)
        return 0;
    const fanout_gate gate = gate_of(table, now_ns);
    const int64_t full_ns = (int64_t)FANOUT_RTX_BURST_BYTES * 1000000000 / FANOUT_RTX_BYTES_PER_S;
    int64_t passed_ns = now_ns - row->rtx_budget_ns, sent = 0;
    int64_t earned = passed_ns > full_ns ? FANOUT_RTX_BURST_BYTES : passed_ns * FANOUT_RTX_BYTES_PER_S / 1000000000;
    row->rtx_budget += earned;
    if (row->rtx_budget > FANOUT_RTX_BURST_BYTES)
        row->rtx_budget = FANOUT_RTX_BURST_BYTES;
    row->rtx_budget_ns = now_ns;
    begin_sending(self, gate.room);
    for (size_t n = 0; n < count; n++) {
        int64_t number = fanout_history_number(&table->history, (uint16_t)(sequences[n] - row->sequence_offset));
        fanout_source *from = fanout_history_get(&table->history, number);
        if (from == NULL || number < row->epoch_start) { /* before it, another packet left under this number */
            row->rtx_unknown++;
            continue;
        }
        if (row->rtx_budget < (int64_t)from->packet.size) {
            row->rtx_capped++;
            break;
        }
        if (!may_send(self, &gate))
            continue;
        row->rtx_budget -= (int64_t)from->packet.size;
        row->rtx++;
        /* A packet that came too late for its frame's replay has the timestamp of that frame. */
        uint32_t timestamp = fanout_stamps_find(&row->stamps, from->timestamp, from->timestamp + row->timestamp_offset);
        sent += send_rtx(self, &gate, row, from, sequences[n], timestamp);
    }
    end_sending(self, gate.room);
    return sent;
}
