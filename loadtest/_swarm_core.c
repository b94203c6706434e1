#include "_swarm.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

enum { SPREAD = 50 };

uint64_t swarm_now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
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
    self->messages = calloc(SWARM_BATCH, sizeof *self->messages);
    self->buffers = malloc((size_t)SWARM_BATCH * SWARM_JOINED);
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
    for (int n = 0; n < SWARM_STREAMS; n++)
        free(viewer->streams[n].gaps);
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

static void open_early(swarm *self, swarm_viewer *viewer) {
    for (unsigned n = 0; n < viewer->early_count; n++)
        swarm_media(self, viewer, viewer->early[n].data, viewer->early[n].size, viewer->early[n].at_ns);
    free(viewer->early);
    viewer->early = NULL;
    viewer->early_count = 0;
}

int swarm_start(swarm *self, int number, int profile, const swarm_keys keys[4], uint32_t ssrc,
                const uint8_t types[128], const uint32_t clock_rates[SWARM_STREAMS], bool publishes) {
    pthread_mutex_lock(&self->lock);
    swarm_viewer *viewer = swarm_find(self, number);
    int result = viewer == NULL ? SWARM_NO_VIEWER : agree(viewer, profile, keys, types, clock_rates);
    if (result == 0) {
        viewer->ssrc = ssrc;
        viewer->publishes = publishes;
        viewer->wants_picture = !publishes && viewer->streams[1].agreed;
        /* Reports of viewers that joined together are spread over the second. */
        viewer->report_due_ns = swarm_now_ns() + (uint64_t)number % SPREAD * (1000000000 / SPREAD);
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
    swarm_viewer *viewer = swarm_find(self, number);
    if (viewer != NULL)
        sum_up(viewer, into);
    pthread_mutex_unlock(&self->lock);
    return viewer == NULL ? SWARM_NO_VIEWER : 0;
}

int swarm_remove(swarm *self, int number, swarm_counts *into) {
    pthread_mutex_lock(&self->lock);
    swarm_viewer *viewer = swarm_find(self, number);
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
    swarm_viewer *viewer = swarm_find(self, number);
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
    swarm_viewer *viewer = swarm_find(self, number);
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
