/**
 * Finds out within two or three seconds that a session is dead, and tells that from a network that is only
 * away: while nothing can be reached the session is kept, because it often comes back by itself.
 */
import { Problem, request } from './api.js';
import { jittered } from './backoff.js';

const LOOK_MS = 500;
/** With media flowing, silence is noticed at once; without, only the connection's own checks (2.5 s) are heard. */
const BUSY_BYTES = 1000;
const BUSY_QUIET_MS = 1200;
const IDLE_QUIET_MS = 6000;
/** How long a living server may take to make itself heard after a nudge. */
const GRACE_MS = 800;
const PROBE_MS = 3000;

export class Watchdog {
  #peer;
  #lesson;
  #nudge;
  #timer = 0;
  #bytes = 0;
  #movedAt = performance.now();
  #busy = false;
  #asking = false;
  #limits = { busy: jittered(BUSY_QUIET_MS, 0.2), idle: jittered(IDLE_QUIET_MS, 0.2) };

  /** `nudge()` makes a living server answer over the session itself; without it silence alone has to do. */
  constructor(peer, lesson, nudge = null) {
    this.#peer = peer;
    this.#lesson = lesson;
    this.#nudge = nudge;
    this.#timer = setInterval(() => this.#look(), LOOK_MS);
    peer.ended.then(() => clearInterval(this.#timer));
    peer.pc.addEventListener('connectionstatechange', () => {
      if (peer.pc.connectionState === 'disconnected') this.suspect();
    });
  }

  /** Something else, such as a broken socket, says that the server may be gone. */
  async suspect() {
    if (this.#asking) return;
    this.#asking = true;
    const heardAt = this.#movedAt;
    this.#nudge?.();
    await pauseMs(GRACE_MS);
    if (this.#movedAt === heardAt && (await reachable(this.#lesson)) && this.#movedAt === heardAt) {
      this.#peer.close();
    }
    this.#asking = false;
  }

  async #look() {
    const reports = [...(await this.#peer.pc.getStats()).values()];
    const bytes = reports.find(({ type }) => type === 'transport')?.bytesReceived
      ?? reports.filter(({ type }) => type === 'candidate-pair')
        .reduce((total, pair) => total + (pair.bytesReceived ?? 0) + (pair.responsesReceived ?? 0), 0);
    const now = performance.now();
    if (bytes !== this.#bytes) {
      this.#busy = bytes - this.#bytes > BUSY_BYTES;
      this.#bytes = bytes;
      this.#movedAt = now;
    }
    if (now - this.#movedAt > (this.#busy ? this.#limits.busy : this.#limits.idle)) this.suspect();
  }
}

/** Whether the server's host answers at all: by a refused connection, too, for then our session is gone. */
async function reachable(lesson) {
  const started = performance.now();
  try {
    await request(`/api/v1/lessons/${encodeURIComponent(lesson)}`, { timeoutMs: PROBE_MS });
    return true;
  } catch (problem) {
    if (!(problem instanceof Problem)) throw problem;
    return problem.status > 0 || performance.now() - started < PROBE_MS / 2;
  }
}

const pauseMs = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
