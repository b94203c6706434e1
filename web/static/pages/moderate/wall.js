/**
 * All classes as the wall knows them: the list by REST, over it what `/ws/wall` tells each second. Without the socket
 * the list alone goes on, so that cutting never depends on it.
 */
import { get, post, postBoth } from '../../lib/api.js';
import { jittered } from '../../lib/backoff.js';
import { Emitter } from '../../lib/emitter.js';
import { toMs } from '../../lib/format.js';
import { Socket } from '../../lib/socket.js';
import { around, held, need, rising, risk, step, wanted } from './order.js';

const POLL_MS = 2000;
const POLL_WITH_SOCKET_MS = 10_000;
const POINTS = 60;
const OPEN_STATES = ['live', 'paused', 'cut', 'waiting'];
/** So long after the last movement or key the order stays as it is. */
const HOLD_MS = 3000;
/** Until a class is told of, it is not known to be screened. */
const UNSEEN = { sight: null, hit: null, open: 0, urgent: 0, held: 0 };

/** Emits `change`. */
export class Wall extends Emitter {
  socket = new Socket('wall');
  lessons = new Map();
  order = [];
  selected = null;
  opened = null;
  showEnded = false;
  problem = null;
  loaded = false;
  live = false;
  refused = null;
  /** Classes that want to stand further up than they may now. */
  rising = 0;
  /** id → { dark_ms, answer_ms } of cuts made here */
  cuts = new Map();
  #listed = new Map();
  #told = new Map();
  #points = new Map();
  #steps = new Map();
  #seen = new Map();
  #activeAt = -Infinity;
  #pinned = null;
  #chosen = false;
  #polled = 0;

  run() {
    this.socket.on('wall', (message) => this.#hear(message));
    this.socket.on('down', () => this.#lost());
    this.socket.on('stopped', ({ why }) => {
      this.refused = why;
      this.#lost();
    });
    this.socket.start();
    this.#poll();
    // With the socket each second is told; without it time goes on all the same.
    setInterval(() => this.#settle(!this.live), 1000);
  }

  async #poll() {
    for (;;) {
      await this.refresh();
      const until = performance.now() + jittered(POLL_WITH_SOCKET_MS, 0.1);
      const soon = performance.now() + jittered(POLL_MS, 0.1);
      // The socket's loss ends the long wait.
      while (performance.now() < (this.live ? until : soon)) await new Promise((resolve) => { setTimeout(resolve, 250); });
    }
  }

  async refresh() {
    this.#polled += 1;
    const mine = this.#polled;
    const states = this.showEnded ? [...OPEN_STATES, 'ended'] : OPEN_STATES;
    try {
      const lists = await Promise.all(states.map((state) => get(`/lessons?limit=100&state=${state}`)));
      if (mine !== this.#polled) return;
      this.#listed = new Map(lists.flatMap(({ items }) => items).map((item) => [item.id, listed(item)]));
      this.problem = null;
      this.loaded = true;
    } catch (problem) {
      this.problem = problem;
    }
    this.#merge();
  }

  #hear({ whole, lessons, points, gone }) {
    this.live = true;
    this.refused = null;
    if (whole) {
      this.#told.clear();
      this.#points.clear();
    }
    for (const lesson of lessons) this.#told.set(lesson.id, lesson);
    for (const id of gone) {
      for (const map of [this.#told, this.#listed, this.#points]) map.delete(id);
    }
    for (const [id, point] of Object.entries(points)) {
      this.#points.set(id, whole ? point : [...(this.#points.get(id) ?? []), point].slice(-POINTS));
    }
    this.loaded = true;
    this.#merge();
  }

  /** What was told is old from now on: the list, which is asked for again and again, is newer. */
  #lost() {
    this.live = false;
    this.#told.clear();
    this.#merge();
  }

  #merge() {
    const ids = new Set([...this.#listed.keys(), ...this.#told.keys()]);
    this.lessons = new Map([...ids].map((id) => [id, this.#lesson(id)]));
    this.#settle(true);
  }

  #lesson(id) {
    const points = this.#points.get(id) ?? [];
    const score = risk(points);
    this.#steps.set(id, step(score, this.#steps.get(id)));
    return { ...UNSEEN, ...this.#listed.get(id), ...this.#told.get(id), points, risk: score, step: this.#steps.get(id) };
  }

  get shown() {
    return this.order.map((id) => this.lessons.get(id)).filter(Boolean);
  }

  get current() {
    return this.lessons.get(this.selected) ?? null;
  }

  /** Incidents of all classes that wait for a decision. */
  get openIncidents() {
    return [...this.lessons.values()].reduce((all, { open }) => all + open, 0);
  }

  get urgent() {
    return this.shown.filter((lesson) => need(lesson) && !this.isSeen(lesson));
  }

  /** What a class needs somebody for was looked at: it calls again only for something new. */
  see(id) {
    const lesson = this.lessons.get(id);
    if (lesson) this.#seen.set(id, call(lesson));
    this.emit('change');
  }

  isSeen(lesson) {
    return this.#seen.get(lesson.id) === call(lesson);
  }

  // --- order ---

  /** Somebody points or presses keys here: nothing moves for a while, and what is pointed at not at all. */
  touch(pinned) {
    this.#activeAt = performance.now();
    this.#pinned = pinned;
  }

  /** Sorts now, because the person said so. */
  sort() {
    this.#activeAt = -Infinity;
    this.#pinned = null;
    this.#settle(true);
  }

  /** Puts everything where it belongs now; `changed`: something else has changed as well. */
  #settle(changed) {
    const kept = [...this.lessons.values()].filter(({ id, state }) => state !== 'ended' || this.showEnded || id === this.opened);
    const best = wanted(kept, new Map(this.order.map((id, i) => [id, i]))).map(({ id }) => id);
    const busy = performance.now() - this.#activeAt < HOLD_MS || document.querySelector('dialog[open]') !== null;
    const next = busy ? held(best, this.order) : around(best, this.order, this.#pinned);
    const before = `${this.order} ${this.rising} ${this.selected}`;
    this.rising = busy ? rising(best, next) : 0;
    this.order = next;
    this.#preselect();
    if (changed || before !== `${this.order} ${this.rising} ${this.selected}`) this.emit('change');
  }

  // --- selection ---

  select(id) {
    this.#chosen = true;
    this.selected = id;
    this.see(id);
  }

  open(id) {
    this.opened = id;
    this.select(id);
  }

  close() {
    this.opened = null;
    this.emit('change');
  }

  /** Moves the selection by `steps` tiles, staying inside. */
  move(steps) {
    if (!this.order.length) return;
    const now = Math.max(0, this.order.indexOf(this.selected));
    this.select(this.order[Math.min(this.order.length - 1, Math.max(0, now + steps))]);
  }

  /** Until the person chooses, the first class is the one that the keys act on. */
  #preselect() {
    if (document.querySelector('dialog[open]')) return;
    if (!this.#chosen || !this.order.includes(this.selected)) this.selected = this.order[0] ?? null;
  }

  // --- acting ---

  async cut(id, wish) {
    const started = performance.now();
    const answer = await postBoth(`/lessons/${encodeURIComponent(id)}/cut`, wish);
    this.cuts.set(id, { dark_ms: answer.dark_ms, answer_ms: performance.now() - started });
    await this.refresh();
  }

  /** The server's answer, which may be that a second person is waited for. */
  async restore(id, wish) {
    const answer = await post(`/lessons/${encodeURIComponent(id)}/restore`, wish);
    if (answer.state !== 'waiting_for_second') this.cuts.delete(id);
    await this.refresh();
    return answer;
  }
}

/** A class of the list in the shape of the socket's. */
function listed({ started_at: started, ended_at: ended, cut, ...rest }) {
  return { ...rest, started_at_ms: toMs(started), ended_at_ms: toMs(ended), cut: cut && cutFacts(cut) };
}

function cutFacts({ at, restore, ...cut }) {
  return { ...cut, at_ms: toMs(at), restore: restore && { ...restore, at_ms: toMs(restore.at), expires_at_ms: toMs(restore.expires_at) } };
}

/** What a class calls for, so that the same call is not made twice. */
const call = (lesson) => `${need(lesson)} ${need(lesson) === 'incident' ? lesson.hit?.id ?? '' : ''}`;
