/**
 * Finds out within two or three seconds that nothing comes any more, and why. The server knows the session no
 * longer: it is dead. It does: we are in another network, and look for a way from there. Nothing can be
 * reached: the session is kept, because it often comes back by itself.
 */
import { Problem } from './api.js';
import { jittered } from './backoff.js';

const LOOK_MS = 500;
/** With media flowing, silence is noticed at once; without, only the connection's own checks (2.5 s) are heard. */
const BUSY_BYTES = 1000;
const BUSY_QUIET_MS = 1200;
const IDLE_QUIET_MS = 6000;
/** How long a living server may take to make itself heard after a nudge. */
const GRACE_MS = 800;
/** An answer as fast as this that is none is a refused connection, which says that the server is gone. */
const REFUSED_MS = 1500;
/** How long media may take over a new way; the server follows our first report from there. */
const RESTART_MS = 3000;

export class Watchdog {
  #peer;
  #nudge;
  #timer = 0;
  #bytes = 0;
  #movedAt = performance.now();
  #busy = false;
  #asking = false;
  /** The server may have restarted ICE without our hearing of it: it has to be asked once more. */
  #unsettled = false;
  #limits = { busy: jittered(BUSY_QUIET_MS, 0.2), idle: jittered(IDLE_QUIET_MS, 0.2) };

  /** `nudge()` makes a living server answer over the session itself; without it silence alone has to do. */
  constructor(peer, nudge = null) {
    this.#peer = peer;
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
    if (this.#movedAt === heardAt && (await this.#isLost()) && this.#movedAt === heardAt) this.#peer.close();
    this.#asking = false;
  }

  /** Whether the session is beyond help. */
  async #isLost() {
    const started = performance.now();
    try {
      await this.#peer.restart();
    } catch (problem) {
      if (!(problem instanceof Problem)) return true;
      this.#unsettled = problem.status === 0;
      return problem.status > 0 || performance.now() - started < REFUSED_MS;
    }
    this.#unsettled = false;
    await pauseMs(RESTART_MS);
    return true;
  }

  /** Media is back before an answer was: agree on credentials, or the checks of the old ones fail by and by. */
  async #settle() {
    if (this.#asking) return;
    this.#asking = true;
    const heardAt = this.#movedAt;
    if ((await this.#isLost()) && this.#movedAt === heardAt) this.#peer.close();
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
    else if (this.#unsettled) this.#settle();
  }
}

const pauseMs = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });
