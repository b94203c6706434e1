/**
 * Keeps one media session up: opens it, waits for its loss, opens the next. What the server says
 * decides how: a busy server names the wait, a cut lesson is asked about until it is restored, and a
 * refusal, an end or a replacement stops it.
 */
import { Problem, request } from './api.js';
import { backoffMs, jittered, pause } from './backoff.js';
import { Emitter } from './emitter.js';

/** How often a learner's page asks whether a cut lesson was restored; there may be ten thousand of them. */
const ASK_AGAIN_MS = 5000;
/** A question that got lost in a hole of the network is asked anew rather than waited for. */
const ASK_MS = 4000;
const STOPPING = { 401: 'denied', 403: 'denied', 404: 'unknown' };
const CODES = { session_ended: 'signed_out', no_common_codec: 'codec', person_removed: 'removed', lesson_ended: 'ended', not_enrolled: 'refused', not_assigned: 'refused' };
/** The learner is here on another device, or was until just now: it is asked again until that one has left. */
const HERE_ALREADY = 'already_here';
const GONE = 410;
const TOO_MANY = 429;

/**
 * Emits `state`: { name: 'connecting' | 'open' | 'retrying' | 'gone' | 'stopped', … } with
 * retrying: in_ms, problem; gone: lesson (its REST shape); stopped: why, problem.
 */
export class Link extends Emitter {
  #makePeer;
  #lesson;
  #askAgainMs;
  #mostMs;
  #stop = new AbortController();
  #nap = new AbortController();
  #attempt = 0;
  #refusals = 0;
  #renewing = false;
  peer = null;
  state = { name: 'connecting', attempt: 0 };

  constructor(lesson, makePeer, { askAgainMs = ASK_AGAIN_MS, mostMs = undefined } = {}) {
    super();
    this.#lesson = lesson;
    this.#makePeer = makePeer;
    this.#askAgainMs = askAgainMs;
    this.#mostMs = mostMs;
  }

  async run() {
    let first = true;
    while (!this.#stop.signal.aborted) {
      this.#say({ name: 'connecting', attempt: this.#attempt });
      try {
        // After a loss the lesson itself is asked first: a cut or an end is then no failed attempt.
        if (!first && !this.#renewing) await this.#untilOn();
        first = false;
        if (!this.#stop.signal.aborted) await this.#hold();
      } catch (problem) {
        if (!(problem instanceof Problem)) reportError(problem);
        if (!this.#stop.signal.aborted) await this.#answer(problem);
      }
    }
  }

  /** Ends for good, because the server said so (`why` is told to listeners) or by the page's own wish. */
  stop(why = null, problem = null) {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#nap.abort();
    if (why) this.peer?.close();
    else this.peer?.leave();
    if (why) this.#say({ name: 'stopped', why, problem });
  }

  /** The session is to be replaced by a new one without delay, e.g. after a switch to audio only. */
  renew() {
    this.#renewing = true;
    this.peer?.leave();
  }

  /** The server was just heard elsewhere: no use in waiting any longer. */
  wake() {
    this.#nap.abort();
  }

  #say(state) {
    this.state = state;
    this.emit('state', state);
  }

  /** One session from its offer to its end. */
  async #hold() {
    this.#renewing = false;
    this.peer = this.#makePeer();
    await this.peer.open();
    if (this.#stop.signal.aborted) return;
    this.#attempt = 0;
    this.#refusals = 0;
    this.#say({ name: 'open' });
    await this.peer.ended;
    if (!this.#stop.signal.aborted && !this.#renewing) await this.#wait(new Problem('connection_lost'));
  }

  async #answer(problem) {
    const why = CODES[problem.code] ?? STOPPING[problem.status];
    if (why) {
      this.stop(why, problem);
    } else if (problem.status === GONE) {
      this.#refusals += 1;
      // Refused although the lesson seems to be on: something else holds it, so do not ask in a tight circle.
      if (this.#refusals > 1) await this.#pause(jittered(this.#askAgainMs));
    } else if (problem.status >= 400 && problem.status < 500 && problem.status !== TOO_MANY && problem.code !== HERE_ALREADY) {
      this.stop('refused', problem);
    } else {
      await this.#wait(problem);
    }
  }

  async #wait(problem) {
    const ms = (problem.retryAfterMs ?? 0) + backoffMs(this.#attempt, this.#mostMs);
    this.#attempt += 1;
    this.#say({ name: 'retrying', in_ms: ms, problem });
    await this.#pause(ms);
  }

  #pause(ms) {
    this.#nap = new AbortController();
    return pause(ms, this.#nap.signal);
  }

  async #untilOn() {
    while (!this.#stop.signal.aborted) {
      const path = `/api/v1/lessons/${encodeURIComponent(this.#lesson)}`;
      const lesson = await (await request(path, { timeoutMs: ASK_MS })).json();
      if (lesson.state === 'ended') this.stop('ended');
      if (lesson.state !== 'cut') return;
      this.#say({ name: 'gone', lesson });
      await this.#pause(jittered(this.#askAgainMs));
    }
  }
}
