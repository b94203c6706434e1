#include "_swarm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>

enum { EVENTS = 256, TICK_NS = 20000000, PAUSE_NS = 1000000 };
enum { CONTROL_SIZE = CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct timespec)) };

typedef struct {
    struct iovec part;
    struct sockaddr_storage from;
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_SIZE];
} slot;

static slot slots[SWARM_BATCH]; /* of the one loop of this process */

static uint64_t thread_cpu_ns(void) {
    struct timespec used;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
    return (uint64_t)used.tv_sec * 1000000000u + (uint64_t)used.tv_nsec;
}

static int64_t wall_minus_monotonic_ns(void) {
    struct timespec wall;
    clock_gettime(CLOCK_REALTIME, &wall);
    return (int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec - (int64_t)swarm_now_ns();
}

/* RFC 5761 4: RTCP by the second octet. */
void swarm_media(swarm *self, swarm_viewer *viewer, uint8_t *data, size_t size, uint64_t at_ns) {
    if (data[1] >= 192 && data[1] <= 223)
        swarm_rtcp(self, viewer, data, size, at_ns);
    else
        swarm_rtp(self, viewer, data, size, at_ns);
}

/* A browser reads the handshake's end and the packets behind it in turn: so they are not lost here either. */
static void keep_early(swarm_viewer *viewer, const uint8_t *data, size_t size, uint64_t at_ns) {
    if (viewer->early == NULL)
        viewer->early = malloc(SWARM_EARLY * sizeof *viewer->early);
    if (viewer->early == NULL || viewer->early_count == SWARM_EARLY || size > SWARM_DATAGRAM) {
        viewer->counts.early++;
        return;
    }
    swarm_early *kept = &viewer->early[viewer->early_count++];
    kept->at_ns = at_ns;
    kept->size = size;
    memcpy(kept->data, data, size);
}

/* One datagram. RFC 7983: by its first octet. */
static void receive(swarm *self, swarm_viewer *viewer, uint8_t *data, size_t size, uint64_t at_ns,
                    const struct sockaddr_storage *from, socklen_t from_size) {
    self->counts.packets++;
    if (size < 12 || data[0] < 128 || data[0] > 191) {
        if (size > 0 && data[0] < 64)
            swarm_put(self, viewer->number, SWARM_CONTROL, from, from_size, data, size);
        else
            viewer->counts.malformed++;
    } else if (viewer->keyed)
        swarm_media(self, viewer, data, size, at_ns);
    else
        keep_early(viewer, data, size, at_ns);
}

/* One message: joined datagrams of one size but for the last, where the kernel joined them (UDP GRO). */
static void receive_message(swarm *self, swarm_viewer *viewer, struct msghdr *message, size_t size) {
    uint8_t *data = message->msg_iov->iov_base;
    uint64_t at_ns = self->tick_ns;
    size_t step = size;
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part != NULL; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level == SOL_UDP && part->cmsg_type == UDP_GRO) {
            int joined;
            memcpy(&joined, CMSG_DATA(part), sizeof joined);
            if (joined > 0)
                step = (size_t)joined;
        } else if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SO_TIMESTAMPNS) {
            struct timespec wall;
            memcpy(&wall, CMSG_DATA(part), sizeof wall);
            at_ns = (uint64_t)((int64_t)wall.tv_sec * 1000000000 + wall.tv_nsec - self->wall_minus_monotonic_ns);
        }
    }
    self->counts.datagrams++;
    for (size_t offset = 0; offset < size; offset += step)
        receive(self, viewer, data + offset, size - offset < step ? size - offset : step, at_ns,
                message->msg_name, message->msg_namelen);
}

static void prepare(swarm *self, int count) {
    for (int n = 0; n < count; n++) {
        slots[n].part = (struct iovec){self->buffers + (size_t)n * SWARM_JOINED, SWARM_JOINED};
        self->messages[n].msg_hdr = (struct msghdr){
            .msg_name = &slots[n].from,
            .msg_namelen = sizeof slots[n].from,
            .msg_iov = &slots[n].part,
            .msg_iovlen = 1,
            .msg_control = slots[n].control,
            .msg_controllen = sizeof slots[n].control,
        };
    }
}

static void drain(swarm *self, swarm_viewer *viewer) {
    for (;;) {
        int taken = recvmmsg(viewer->fd, self->messages, SWARM_BATCH, MSG_DONTWAIT, NULL);
        self->counts.reads++;
        if (taken < 0 && errno == ECONNREFUSED) { /* ICMP: nobody listens there */
            swarm_put(self, viewer->number, SWARM_REFUSED, NULL, 0, NULL, 0);
            continue;
        }
        if (taken < 0 && errno == EINTR)
            continue;
        if (taken <= 0)
            break;
        for (int n = 0; n < taken; n++)
            receive_message(self, viewer, &self->messages[n].msg_hdr, self->messages[n].msg_len);
        prepare(self, taken);
        if (taken < SWARM_BATCH) /* edge triggered: what comes from now on is told anew */
            break;
    }
    if (viewer->asks)
        swarm_ask(viewer, self->tick_ns);
}

static void round_of(swarm *self, const struct epoll_event *events, int count, uint64_t *tick_due_ns) {
    self->tick_ns = swarm_now_ns();
    self->wall_minus_monotonic_ns = wall_minus_monotonic_ns();
    for (int n = 0; n < count; n++) {
        swarm_viewer *viewer = swarm_find(self, (int)events[n].data.u32);
        if (viewer != NULL)
            drain(self, viewer);
    }
    if (self->tick_ns >= *tick_due_ns) {
        *tick_due_ns = self->tick_ns + TICK_NS;
        for (int n = 0; n < self->viewer_count; n++)
            if (self->viewers[n] != NULL && self->viewers[n]->keyed)
                swarm_tick(self->viewers[n], self->tick_ns);
        self->counts.cpu_ns = thread_cpu_ns();
    }
}

/* It looks every millisecond and is never woken: a server on the same machine would have to do that for each
 * packet, and a viewer elsewhere costs it no such thing. Packets are timed by the kernel, so it shows nowhere. */
int swarm_run(swarm *self) {
    const struct timespec pause = {.tv_nsec = PAUSE_NS};
    struct epoll_event events[EVENTS];
    uint64_t tick_due_ns = 0;
    prepare(self, SWARM_BATCH);
    while (!__atomic_load_n(&self->stop, __ATOMIC_ACQUIRE)) {
        int count = epoll_wait(self->epoll, events, EVENTS, 0);
        if (count < 0 && errno != EINTR)
            return errno;
        pthread_mutex_lock(&self->lock);
        self->counts.wakes++;
        round_of(self, events, count, &tick_due_ns);
        bool tell = self->signalled;
        self->signalled = false;
        pthread_mutex_unlock(&self->lock);
        if (tell)
            eventfd_write(self->event, 1);
        if (count < EVENTS)
            nanosleep(&pause, NULL);
    }
    return 0;
}

void swarm_stop(swarm *self) {
    __atomic_store_n(&self->stop, true, __ATOMIC_RELEASE);
}
