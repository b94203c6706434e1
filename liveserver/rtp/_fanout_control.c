/* What leaves and is not media: octets as they are, RTCP, sender reports. No flag holds it back. */

#include "_fanout_out.h"

bool fanout_post(fanout *self, const fanout_address *address, socklen_t address_size, const fanout_packet *packet) {
    uint64_t before = self->stats.sent;
    if (packet->size > FANOUT_DATAGRAM) {
        self->stats.dropped++;
        return false;
    }
    fanout_wire_part(&self->wire);
    if (fanout_wire_is_full(&self->wire, packet->size))
        flush(self, NULL);
    uint8_t *out = fanout_wire_reserve(&self->wire, packet->size);
    memcpy(out, packet->data, packet->size);
    hand_over(self, NULL, address, address_size, out, packet->size);
    flush(self, NULL);
    return self->stats.sent > before;
}

static int gather_rtcp(fanout *self, fanout_session *session, const fanout_packet *packet) {
    if (session->rtcp_index > 0x7FFFFFFF)
        return FANOUT_USED_UP;
    uint32_t index = session->rtcp_index++, ssrc = 0;
    for (size_t n = 4; n < packet->size && n < 8; n++)
        ssrc = ssrc << 8 | packet->data[n];
    if (packet->size + FANOUT_RTCP_TRAILER > FANOUT_DATAGRAM) {
        self->stats.dropped++;
        return 0;
    }
    fanout_wire_part(&self->wire);
    if (fanout_wire_is_full(&self->wire, packet->size + FANOUT_RTCP_TRAILER))
        flush(self, NULL);
    uint8_t *out = fanout_wire_reserve(&self->wire, packet->size + FANOUT_RTCP_TRAILER);
    memcpy(out, packet->data, packet->size);
    size_t size = fanout_protect_rtcp(&session->rtcp, ssrc, index, out, packet->size);
    if (size == 0) {
        self->stats.dropped++;
        return 0;
    }
    hand_over(self, NULL, &session->address, session->address_size, out, size);
    return 1;
}

int fanout_send_rtcp(fanout *self, int64_t session, const fanout_packet *packet) {
    fanout_session *found = fanout_session_of(&self->registry, session);
    if (found == NULL)
        return 0;
    uint64_t before = self->stats.sent;
    int result = gather_rtcp(self, found, packet);
    if (result < 0)
        return result;
    flush(self, NULL);
    return self->stats.sent > before;
}

/* `fanout._report`: a sender report, then the CNAME (RFC 3550 6.4.1, 6.5.1). `cname` has at most 255 octets. */
static int gather_report(fanout *self, const fanout_row *row, uint64_t ntp, uint32_t rtp_timestamp,
                         const fanout_packet *cname) {
    uint8_t report[28 + 12 + 255 + 4] = {0x80, 200, 0, 6};
    size_t chunk = 4 + 2 + cname->size + 1;
    chunk += (4 - chunk % 4) % 4;
    write_32(report + 4, row->ssrc);
    write_32(report + 8, (uint32_t)(ntp >> 32));
    write_32(report + 12, (uint32_t)ntp);
    write_32(report + 16, rtp_timestamp + row->timestamp_offset);
    write_32(report + 20, (uint32_t)row->packets);
    write_32(report + 24, (uint32_t)row->octets);
    uint8_t *description = report + 28;
    description[0] = 0x81;
    description[1] = 202;
    description[3] = (uint8_t)(chunk / 4);
    write_32(description + 4, row->ssrc);
    description[8] = 1; /* CNAME */
    description[9] = (uint8_t)cname->size;
    memcpy(description + 10, cname->data, cname->size);
    return gather_rtcp(self, row->session, &(fanout_packet){report, 28 + 4 + chunk});
}

int fanout_report(fanout *self, int64_t row, uint64_t ntp, uint32_t rtp_timestamp, const fanout_packet *cname) {
    const fanout_row *found = fanout_row_of(&self->registry, row);
    if (found == NULL)
        return 0;
    uint64_t before = self->stats.sent;
    int result = gather_report(self, found, ntp, rtp_timestamp, cname);
    flush(self, NULL);
    return result < 0 ? result : self->stats.sent > before;
}

int64_t fanout_report_table(fanout *self, int64_t table, uint64_t ntp, uint32_t rtp_timestamp,
                            const fanout_packet *cname, uint32_t part, uint32_t parts) {
    const fanout_table *found = fanout_table_of(&self->registry, table);
    if (found == NULL)
        return 0;
    uint64_t before = self->stats.sent;
    int result = 0;
    for (size_t position = 0; position < found->used && result >= 0; position++) {
        const fanout_row *row = &found->rows[position];
        if (row->number != 0 && row->ssrc % parts == part)
            result = gather_report(self, row, ntp, rtp_timestamp, cname);
    }
    flush(self, NULL);
    return result < 0 ? result : (int64_t)(self->stats.sent - before);
}
