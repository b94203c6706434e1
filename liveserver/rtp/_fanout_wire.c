#include "_fanout_wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103 /* Linux 4.18; older headers lack it */
#endif

bool fanout_wire_open(fanout_wire *wire, int fd) {
    int size = 0;
    socklen_t length = sizeof size;
    memset(wire, 0, sizeof *wire);
    wire->fd = fd;
    wire->segments = getsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, &length) == 0;
    wire->buffer = malloc(FANOUT_BUFFER);
    if (wire->buffer == NULL)
        return false;
    for (unsigned n = 0; n < FANOUT_MESSAGES; n++) {
        struct cmsghdr *control = &wire->controls[n].header;
        control->cmsg_level = SOL_UDP;
        control->cmsg_type = UDP_SEGMENT;
        control->cmsg_len = CMSG_LEN(sizeof(uint16_t));
        wire->messages[n].msg_hdr.msg_iov = &wire->parts[n];
        wire->messages[n].msg_hdr.msg_iovlen = 1;
    }
    return true;
}

void fanout_wire_close(fanout_wire *wire) {
    free(wire->buffer);
    wire->buffer = NULL;
}

/* Whether a packet of `size` octets may go behind those of the newest message. */
static bool may_extend(const fanout_wire *wire, size_t size) {
    if (!wire->open || !wire->segments)
        return false;
    unsigned newest = wire->count - 1;
    return size <= wire->segment[newest] && wire->packets[newest] < FANOUT_SEGMENTS &&
           wire->parts[newest].iov_len + size <= FANOUT_SEGMENTED;
}

bool fanout_wire_is_full(const fanout_wire *wire, size_t size) {
    return wire->used + size > FANOUT_BUFFER || (wire->count == FANOUT_MESSAGES && !may_extend(wire, size));
}

uint8_t *fanout_wire_reserve(fanout_wire *wire, size_t size) {
    wire->extends = may_extend(wire, size);
    return wire->buffer + wire->used;
}

void fanout_wire_commit(fanout_wire *wire, size_t size, const fanout_address *address, socklen_t address_size) {
    if (!wire->extends) {
        unsigned added = wire->count++;
        struct msghdr *message = &wire->messages[added].msg_hdr;
        message->msg_name = (void *)address;
        message->msg_namelen = address_size;
        message->msg_control = NULL;
        message->msg_controllen = 0;
        wire->parts[added].iov_base = wire->buffer + wire->used;
        wire->parts[added].iov_len = 0;
        wire->packets[added] = 0;
        wire->segment[added] = (uint16_t)size;
        wire->open = true;
    }
    unsigned newest = wire->count - 1;
    wire->parts[newest].iov_len += size;
    wire->used += size;
    if (++wire->packets[newest] == 2) {
        struct msghdr *message = &wire->messages[newest].msg_hdr;
        memcpy(CMSG_DATA(&wire->controls[newest].header), &wire->segment[newest], sizeof(uint16_t));
        message->msg_control = &wire->controls[newest];
        message->msg_controllen = sizeof wire->controls[newest];
    }
    if (size < wire->segment[newest]) /* only the last may be smaller */
        wire->open = false;
}

/* Send the packets of a message one by one: the kernel would not take them joined. How many left. */
static unsigned send_singly(fanout_wire *wire, unsigned which) {
    struct msghdr *message = &wire->messages[which].msg_hdr;
    struct iovec *part = &wire->parts[which];
    size_t left = part->iov_len;
    unsigned sent = 0;
    message->msg_control = NULL;
    message->msg_controllen = 0;
    while (left > 0) {
        part->iov_len = left < wire->segment[which] ? left : wire->segment[which];
        sent += sendmsg(wire->fd, message, MSG_DONTWAIT) >= 0;
        part->iov_base = (uint8_t *)part->iov_base + part->iov_len;
        left -= part->iov_len;
    }
    return sent;
}

/* What sendmmsg refused, by `error`. A socket that is full drops it all; a device or a kernel without
 * segmentation gets single packets, and is not asked again once those left. A path too narrow for the
 * packets (EMSGSIZE) says nothing about the others. */
static void refuse(fanout_wire *wire, unsigned which, int error, fanout_stats *stats) {
    unsigned sent = 0, packets = wire->packets[which];
    bool unsupported = error == EINVAL || error == EIO || error == EOPNOTSUPP || error == ENOPROTOOPT;
    if (packets > 1 && (unsupported || error == EMSGSIZE)) {
        sent = send_singly(wire, which);
        if (unsupported && sent > 0)
            wire->segments = false;
    }
    stats->sent += sent;
    stats->dropped += packets - sent;
}

void fanout_wire_flush(fanout_wire *wire, bool allowed, fanout_stats *stats) {
    unsigned next = 0;
    while (next < wire->count && allowed) {
        int taken = sendmmsg(wire->fd, wire->messages + next, wire->count - next, MSG_DONTWAIT);
        if (taken <= 0 && errno == EINTR)
            continue;
        for (int n = 0; n < taken; n++)
            stats->sent += wire->packets[next++];
        if (taken <= 0) {
            refuse(wire, next, errno, stats);
            next++;
        }
    }
    for (; next < wire->count; next++)
        stats->held += wire->packets[next];
    wire->count = 0;
    wire->used = 0;
    wire->open = false;
}
