/** All lessons, asked for every two seconds, which one is selected, and what this page cut. */
import { get, post, postBoth } from '../../lib/api.js';
import { jittered } from '../../lib/backoff.js';
import { Emitter } from '../../lib/emitter.js';

const POLL_MS = 2000;
/** What needs eyes first. Risk scores come with screening. */
const ORDER = { live: 0, cut: 1, paused: 2, waiting: 3, ended: 4 };

/** Emits `change`. */
export class Wall extends Emitter {
  lessons = [];
  selected = null;
  opened = null;
  showEnded = false;
  problem = null;
  loaded = false;
  /** lesson id → { dark_ms, answer_ms, at_ms } of cuts made here */
  cuts = new Map();
  #chosenByPerson = false;

  async run() {
    for (;;) {
      await this.refresh();
      await new Promise((resolve) => { setTimeout(resolve, jittered(POLL_MS, 0.1)); });
    }
  }

  async refresh() {
    try {
      const { items } = await get('/lessons?limit=200');
      this.lessons = [...items].sort(byNeed);
      this.problem = null;
      this.loaded = true;
      this.#preselect();
    } catch (problem) {
      this.problem = problem;
    }
    this.emit('change');
  }

  get shown() {
    return this.lessons.filter(({ id, state }) => state !== 'ended' || this.showEnded || id === this.opened);
  }

  get current() {
    return this.lessons.find(({ id }) => id === this.selected) ?? null;
  }

  select(id) {
    this.#chosenByPerson = true;
    this.selected = id;
    this.emit('change');
  }

  open(id) {
    this.select(id);
    this.opened = id;
    this.emit('change');
  }

  close() {
    this.opened = null;
    this.emit('change');
  }

  /** Moves the selection by `step` tiles, staying inside. */
  move(step) {
    const ids = this.shown.map(({ id }) => id);
    if (!ids.length) return;
    const now = Math.max(0, ids.indexOf(this.selected));
    this.select(ids[Math.min(ids.length - 1, Math.max(0, now + step))]);
  }

  async cut(id, wish) {
    const started = performance.now();
    const answer = await postBoth(`/lessons/${encodeURIComponent(id)}/cut`, wish);
    this.cuts.set(id, { dark_ms: answer.dark_ms, answer_ms: performance.now() - started, at_ms: Date.now() });
    await this.refresh();
  }

  async restore(id, wish) {
    await post(`/lessons/${encodeURIComponent(id)}/restore`, wish);
    this.cuts.delete(id);
    await this.refresh();
  }

  /** Until the person chooses, the first class that needs eyes is the one that the keys act on. */
  #preselect() {
    if (document.querySelector('dialog[open]')) return;
    const here = this.shown.some(({ id }) => id === this.selected);
    const idle = this.current === null || this.current.state === 'waiting' || this.current.state === 'ended';
    if (!here || (!this.#chosenByPerson && idle)) this.selected = this.shown[0]?.id ?? null;
  }
}

function byNeed(a, b) {
  return (ORDER[a.state] ?? 9) - (ORDER[b.state] ?? 9) || String(b.created_at).localeCompare(String(a.created_at));
}
