/* Datagrams on their way to the socket: gathered, joined by UDP GSO, sent many at a time.
 *
 * Packets of one viewer that leave together and have one size, but for a smaller last one, are one message
 * with a UDP_SEGMENT control message (udp(7)); messages of many viewers are one sendmmsg call. */

#ifndef LIVESERVER_FANOUT_WIRE_H
#define LIVESERVER_FANOUT_WIRE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

enum {
    FANOUT_DATAGRAM = 65535,      /* octets; no datagram is longer */
    FANOUT_MESSAGES = 64,         /* in one sendmmsg call */
    FANOUT_SEGMENTS = 64,         /* in one message; the kernel's UDP_MAX_SEGMENTS before Linux 6.9 */
    FANOUT_SEGMENTED = 65000,     /* octets in one message of several packets */
    FANOUT_BUFFER = 256 * 1024,   /* octets of one sendmmsg call; stays in the processor's cache */
};

/* A peer's UDP address, or with the family AF_UNSPEC the number of a stream. */
typedef union {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
    struct {
        sa_family_t family;
        int64_t number;
    } stream;
} fanout_address;

typedef union {
    struct cmsghdr header; /* for its alignment */
    char space[CMSG_SPACE(sizeof(uint16_t))];
} fanout_control;

/* Packets since the start, as `fanout.Stats` names them. */
typedef struct {
    uint64_t sent, dropped, held, refused;
} fanout_stats;

typedef struct {
    int fd;
    bool segments; /* whether UDP GSO is used; false for good once the kernel refused it */
    bool extends;  /* the reserved packet goes into the newest message */
    bool open;     /* the newest message may still take a packet */
    unsigned count;
    size_t used;
    uint8_t *buffer;
    uint16_t packets[FANOUT_MESSAGES];
    uint16_t segment[FANOUT_MESSAGES]; /* octets of every packet of the message but the last */
    struct mmsghdr messages[FANOUT_MESSAGES];
    struct iovec parts[FANOUT_MESSAGES];
    fanout_control controls[FANOUT_MESSAGES];
} fanout_wire;

bool fanout_wire_open(fanout_wire *wire, int fd);
void fanout_wire_close(fanout_wire *wire);
/* Whether the next packet must leave what is gathered first: ask, flush if so, then reserve. */
bool fanout_wire_is_full(const fanout_wire *wire, size_t size);
/* Room for a packet of at most FANOUT_DATAGRAM octets, not sent unless committed. */
uint8_t *fanout_wire_reserve(fanout_wire *wire, size_t size);
void fanout_wire_commit(fanout_wire *wire, size_t size, const fanout_address *address, socklen_t address_size);
/* No packet that follows goes into a message of one before. */
static inline void fanout_wire_part(fanout_wire *wire) {
    wire->open = false;
}
/* Hand everything to the socket, or count it as `held`. What the socket would not take is `dropped`. */
void fanout_wire_flush(fanout_wire *wire, bool allowed, fanout_stats *stats);

#endif
