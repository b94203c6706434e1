/**
 * Keeps one media session up: opens it, waits for its loss, opens the next. What the server says
 * decides how: a busy server names the wait, a cut lesson is asked about until it is restored, and a
 * refusal, an end or a replacement stops it.
 */
import { get, Problem } from './api.js';
import { backoffMs, jittered, pause } from './backoff.js';
import { Emitter } from './emitter.js';

/** How often a learner's page asks whether a cut lesson was restored; there may be ten thousand of them. */
const ASK_AGAIN_MS = 5000;
const STOPPING = { 401: 'denied', 403: 'denied', 404: 'unknown' };
const CODES = { no_common_codec: 'codec', person_removed: 'removed', lesson_ended: 'ended' };

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
  peer = null;
  state = { name: 'connecting', attempt: 0 };

  constructor(lesson, makePeer, { askAgainMs = ASK_AGAIN_MS, mostMs = undefined } = {}) {
    super();
    this.#lesson = lesson;
    this.#askAgainMs = askAgainMs;
    this.#mostMs = mostMs;
    this.#makePeer = makePeer;
  }

  async run() {
    const stop = this.#stop.signal;
    while (!stop.aborted) {
      this.#say({ name: 'connecting', attempt: this.#attempt });
      try {
        this.peer = this.#makePeer();
        await this.peer.open();
        if (stop.aborted) break;
        this.#attempt = 0;
        this.#refusals = 0;
        this.#say({ name: 'open' });
        await this.peer.ended;
        if (!stop.aborted) await this.#wait(new Problem('connection_lost'));
      } catch (problem) {
        if (!(problem instanceof Problem)) reportError(problem);
        if (!stop.aborted) await this.#answer(problem);
      }
    }
  }

  /** Ends for good; `why` is told to listeners when it was not the page's own wish. */
  stop(why = null, problem = null) {
    if (this.#stop.signal.aborted) return;
    this.#stop.abort();
    this.#nap.abort();
    this.peer?.close();
    if (why) this.#say({ name: 'stopped', why, problem });
  }

  /** The session is to be replaced by a new one without delay, e.g. after a switch to audio only. */
  renew() {
    this.#attempt = -1;
    this.peer?.close();
  }

  /** The server was just heard elsewhere: no use in waiting any longer. */
  wake() {
    this.#nap.abort();
  }

  #say(state) {
    this.state = state;
    this.emit('state', state);
  }

  async #answer(problem) {
    const why = CODES[problem.code] ?? STOPPING[problem.status];
    if (why) this.stop(why, problem);
    else if (problem.status === 410) await this.#untilRestored();
    else if (problem.status >= 400 && problem.status < 500 && problem.status !== 429) this.stop('refused', problem);
    else await this.#wait(problem);
  }

  async #wait(problem) {
    const asked = problem.retryAfterMs ?? 0;
    const ms = this.#attempt < 0 ? 0 : asked + backoffMs(this.#attempt, this.#mostMs);
    this.#attempt += 1;
    if (ms) this.#say({ name: 'retrying', in_ms: ms, problem });
    await this.#pause(ms);
  }

  #pause(ms) {
    this.#nap = new AbortController();
    return pause(ms, this.#nap.signal);
  }

  async #untilRestored() {
    this.#refusals += 1;
    let lesson = null;
    while (!this.#stop.signal.aborted) {
      try {
        lesson = await get(`/lessons/${encodeURIComponent(this.#lesson)}`);
      } catch (problem) {
        if (CODES[problem.code] ?? STOPPING[problem.status]) {
          await this.#answer(problem);
          return;
        }
      }
      if (lesson?.state === 'ended') {
        this.stop('ended');
        return;
      }
      const restored = lesson && lesson.state !== 'cut' && !lesson.cut;
      // Restored but refused once more: something else holds it, so do not ask in a tight circle.
      if (restored && this.#refusals === 1) return;
      if (!restored) this.#say({ name: 'gone', lesson });
      await this.#pause(jittered(this.#askAgainMs));
      if (restored) return;
    }
  }
}
