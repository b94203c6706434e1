#include "_swarm.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#ifndef SOL_UDP
#define SOL_UDP 17
#endif
#ifndef UDP_GRO
#define UDP_GRO 104 /* Linux 5.0; older headers lack it */
#endif

enum { BATCH = 16, JOINED = 65536, EVENTS = 256, TICK_NS = 20000000, PAUSE_NS = 1000000 };
enum { CONTROL_SIZE = CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(struct timespec)) };

typedef struct {
    struct iovec part;
    struct sockaddr_storage from;
    _Alignas(struct cmsghdr) uint8_t control[CONTROL_SIZE];
} slot;

static slot slots[BATCH]; /* of the one loop of this process */

uint64_t swarm_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

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

swarm *swarm_new(uint32_t loss, uint64_t seed) {
    swarm *self = calloc(1, sizeof *self);
    if (self == NULL)
        return NULL;
    self->loss = loss;
    self->random = seed | 1;
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    self->viewers = calloc(SWARM_VIEWERS, sizeof *self->viewers);
    self->ring = calloc(SWARM_RING, sizeof *self->ring);
    self->frames = calloc(SWARM_FRAMES, sizeof *self->frames);
    self->messages = calloc(BATCH, sizeof *self->messages);
    self->buffers = malloc((size_t)BATCH * JOINED);
    pthread_mutex_init(&self->lock, NULL);
    if (self->epoll < 0 || self->event < 0 || !self->viewers || !self->ring || !self->frames ||
        !self->messages || !self->buffers) {
        swarm_free(self);
        return NULL;
    }
    return self;
}

static void free_viewer(swarm_viewer *viewer) {
    if (viewer == NULL)
        return;
    fanout_cipher_close(&viewer->rtp_in);
    fanout_cipher_close(&viewer->rtcp_in);
    fanout_cipher_close(&viewer->rtp_out);
    fanout_cipher_close(&viewer->rtcp_out);
    free(viewer->early);
    free(viewer);
}

void swarm_free(swarm *self) {
    for (int n = 0; n < self->viewer_count; n++)
        free_viewer(self->viewers[n]);
    if (self->epoll >= 0)
        close(self->epoll);
    if (self->event >= 0)
        close(self->event);
    pthread_mutex_destroy(&self->lock);
    free(self->viewers);
    free(self->ring);
    free(self->frames);
    free(self->messages);
    free(self->buffers);
    free(self);
}

/* Under the lock. */
static swarm_viewer *find(swarm *self, int viewer) {
    return viewer >= 0 && viewer < self->viewer_count ? self->viewers[viewer] : NULL;
}

static int watch(swarm *self, swarm_viewer *viewer) {
    int on = 1, number = self->viewer_count;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.u32 = (uint32_t)number};
    self->gro = setsockopt(viewer->fd, SOL_UDP, UDP_GRO, &on, sizeof on) == 0;
    setsockopt(viewer->fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    if (number >= SWARM_VIEWERS || epoll_ctl(self->epoll, EPOLL_CTL_ADD, viewer->fd, &event) != 0)
        return SWARM_NO_MEMORY;
    viewer->number = number;
    self->viewers[self->viewer_count++] = viewer; /* numbers are not used again */
    return number;
}

int swarm_add(swarm *self, int fd) {
    swarm_viewer *viewer = calloc(1, sizeof *viewer);
    if (viewer == NULL)
        return SWARM_NO_MEMORY;
    viewer->fd = fd;
    pthread_mutex_lock(&self->lock);
    int number = watch(self, viewer);
    pthread_mutex_unlock(&self->lock);
    if (number < 0)
        free(viewer);
    return number;
}

/* RFC 5761 4: RTCP by the second octet. */
static void open_media(swarm *self, swarm_viewer *viewer, uint8_t *data, size_t size, uint64_t at_ns) {
    if (data[1] >= 192 && data[1] <= 223)
        swarm_rtcp(self, viewer, data, size, at_ns);
    else
        swarm_rtp(self, viewer, data, size, at_ns);
}

static int agree(swarm_viewer *viewer, int profile, const swarm_keys keys[4], const uint8_t types[128],
                 const uint32_t clock_rates[SWARM_STREAMS]) {
    fanout_cipher *ciphers[] = {&viewer->rtp_in, &viewer->rtcp_in, &viewer->rtp_out, &viewer->rtcp_out};
    if (viewer->keyed)
        return SWARM_BAD_KEYS;
    for (int n = 0; n < 4; n++)
        if (!fanout_cipher_open(ciphers[n], profile, keys[n].key, keys[n].salt, keys[n].auth_key))
            return SWARM_BAD_KEYS;
    memcpy(viewer->by_type, types, 128);
    for (int n = 0; n < 128; n++)
        if (types[n] > 0 && (types[n] - 1) / 2 < SWARM_STREAMS) {
            viewer->streams[(types[n] - 1) / 2].agreed = true;
            viewer->streams[(types[n] - 1) / 2].has_rtx |= (types[n] - 1) & 1;
        }
    for (int n = 0; n < SWARM_STREAMS; n++) {
        viewer->streams[n].video = n == 1;
        viewer->streams[n].clock_rate = clock_rates[n];
        viewer->streams[n].picture_begins = viewer->streams[n].picture_ends = -1;
    }
    return 0;
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

static void open_early(swarm *self, swarm_viewer *viewer) {
    for (unsigned n = 0; n < viewer->early_count; n++)
        open_media(self, viewer, viewer->early[n].data, viewer->early[n].size, viewer->early[n].at_ns);
    free(viewer->early);
    viewer->early = NULL;
    viewer->early_count = 0;
}

int swarm_start(swarm *self, int number, int profile, const swarm_keys keys[4], uint32_t ssrc,
                const uint8_t types[128], const uint32_t clock_rates[SWARM_STREAMS], bool publishes) {
    pthread_mutex_lock(&self->lock);
    swarm_viewer *viewer = find(self, number);
    int result = viewer == NULL ? SWARM_NO_VIEWER : agree(viewer, profile, keys, types, clock_rates);
    if (result == 0) {
        viewer->ssrc = ssrc;
        viewer->publishes = publishes;
        viewer->wants_picture = !publishes && viewer->streams[1].agreed;
        /* Reports of viewers that joined together are spread over the second. */
        viewer->report_due_ns = swarm_now_ns() + (uint64_t)number % 50 * TICK_NS;
        viewer->keyed = true;
        open_early(self, viewer);
    }
    pthread_mutex_unlock(&self->lock);
    return result;
}

static void sum_up(const swarm_viewer *viewer, swarm_counts *into) {
    *into = viewer->counts;
    for (int n = 0; n < SWARM_STREAMS; n++)
        into->missing += viewer->streams[n].gap_count;
}

int swarm_counts_of(swarm *self, int number, swarm_counts *into) {
    pthread_mutex_lock(&self->lock);
    swarm_viewer *viewer = find(self, number);
    if (viewer != NULL)
        sum_up(viewer, into);
    pthread_mutex_unlock(&self->lock);
    return viewer == NULL ? SWARM_NO_VIEWER : 0;
}

int swarm_remove(swarm *self, int number, swarm_counts *into) {
    pthread_mutex_lock(&self->lock);
    swarm_viewer *viewer = find(self, number);
    if (viewer != NULL) {
        sum_up(viewer, into);
        epoll_ctl(self->epoll, EPOLL_CTL_DEL, viewer->fd, NULL);
        self->viewers[number] = NULL;
        free_viewer(viewer);
    }
    pthread_mutex_unlock(&self->lock);
    return viewer == NULL ? SWARM_NO_VIEWER : 0;
}

int swarm_send_rtp(swarm *self, int number, const uint8_t *packet, size_t header, size_t size, uint64_t index) {
    uint8_t out[SWARM_DATAGRAM];
    int result = SWARM_NO_VIEWER;
    pthread_mutex_lock(&self->lock);
    swarm_viewer *viewer = find(self, number);
    if (viewer != NULL && viewer->keyed && header >= 12 && header <= size &&
        size + viewer->rtp_out.tag_size <= sizeof out) {
        memcpy(out, packet, header);
        result = fanout_protect(&viewer->rtp_out, swarm_read_32(packet + 8), index, out, header, packet + header,
                                size - header)
                     ? 0
                     : SWARM_BAD_KEYS;
        if (result == 0 && send(viewer->fd, out, size + viewer->rtp_out.tag_size, MSG_DONTWAIT) < 0)
            result = errno;
    }
    pthread_mutex_unlock(&self->lock);
    return result;
}

int swarm_send_rtcp(swarm *self, int number, const uint8_t *packet, size_t size) {
    uint8_t out[SWARM_DATAGRAM];
    int result = SWARM_NO_VIEWER;
    pthread_mutex_lock(&self->lock);
    swarm_viewer *viewer = find(self, number);
    if (viewer != NULL && viewer->keyed && size >= 8 && size + FANOUT_RTCP_TRAILER <= sizeof out) {
        memcpy(out, packet, size);
        size = fanout_protect_rtcp(&viewer->rtcp_out, swarm_read_32(packet + 4), viewer->rtcp_index++, out, size);
        result = size == 0 ? SWARM_BAD_KEYS : send(viewer->fd, out, size, MSG_DONTWAIT) < 0 ? errno : 0;
    }
    pthread_mutex_unlock(&self->lock);
    return result;
}

void swarm_measure(swarm *self, bool on) {
    pthread_mutex_lock(&self->lock);
    if (on) {
        memset(self->latency, 0, sizeof self->latency);
        memset(self->frames, 0, SWARM_FRAMES * sizeof *self->frames);
    }
    self->measuring = on;
    pthread_mutex_unlock(&self->lock);
}

void swarm_put(swarm *self, int viewer, int kind, const struct sockaddr_storage *from, socklen_t from_size,
               const uint8_t *data, size_t size) {
    if (self->ring_count == SWARM_RING || size > SWARM_DATAGRAM) {
        self->counts.ring_full++;
        return;
    }
    swarm_event *event = &self->ring[(self->ring_head + self->ring_count++) % SWARM_RING];
    event->viewer = viewer;
    event->kind = kind;
    event->from_size = from_size;
    if (from_size > 0)
        memcpy(&event->from, from, from_size);
    event->size = size;
    if (size > 0)
        memcpy(event->data, data, size);
    self->signalled = true;
}

bool swarm_take(swarm *self, swarm_event *into) {
    pthread_mutex_lock(&self->lock);
    bool found = self->ring_count > 0;
    if (found) {
        const swarm_event *event = &self->ring[self->ring_head];
        memcpy(into, event, offsetof(swarm_event, data) + event->size);
        self->ring_head = (self->ring_head + 1) % SWARM_RING;
        self->ring_count--;
    }
    pthread_mutex_unlock(&self->lock);
    return found;
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
        open_media(self, viewer, data, size, at_ns);
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
        slots[n].part = (struct iovec){self->buffers + (size_t)n * JOINED, JOINED};
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
        int taken = recvmmsg(viewer->fd, self->messages, BATCH, MSG_DONTWAIT, NULL);
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
        if (taken < BATCH) /* edge triggered: what comes from now on is told anew */
            break;
    }
    if (viewer->asks)
        swarm_ask(viewer, self->tick_ns);
}

static void round_of(swarm *self, const struct epoll_event *events, int count, uint64_t *tick_due_ns) {
    self->tick_ns = swarm_now_ns();
    self->wall_minus_monotonic_ns = wall_minus_monotonic_ns();
    for (int n = 0; n < count; n++) {
        swarm_viewer *viewer = find(self, (int)events[n].data.u32);
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
    prepare(self, BATCH);
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
