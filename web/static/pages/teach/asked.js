/** The checks of the class in numbers: asked from here, counted from the server's list while somebody is waited for. */
import { getAll, post } from '../../lib/api.js';
import { Emitter } from '../../lib/emitter.js';

/** So soon after a change, and ever later while there is none. */
const [LOOK_MS, MOST_LOOK_MS, SLOWER] = [3000, 30_000, 1.5];
/** A long list is asked for less often: at most a tenth of the time. */
const SHARE = 10;
const PAGE = 1000;
const MOST = 12_000;
const SHOWN = 5;
const PASSED = new Set(['passed']);
const FAILED = new Set(['failed', 'timeout']);

/** Emits `change`; `rows`: [{ id, kind, at, random, asked, passed, failed, waiting }], the newest first. */
export class Asked extends Emitter {
  #path;
  #timer = 0;
  #looking = null;
  #pace = LOOK_MS;
  #seen = '';
  rows = [];
  stale = false;

  constructor(lesson) {
    super();
    this.#path = `/lessons/${encodeURIComponent(lesson)}/challenges`;
  }

  /** `order` as POST …/challenges takes it; resolves with its answer, rejects with `Problem`. */
  async ask(order) {
    const done = await post(this.#path, order);
    this.#pace = LOOK_MS;
    this.look();
    return done;
  }

  /** Count now, and again while somebody has not answered. */
  look() {
    clearTimeout(this.#timer);
    this.#looking ??= this.#count().finally(() => { this.#looking = null; });
    return this.#looking;
  }

  async #count() {
    const began = performance.now();
    let refused = false;
    try {
      this.rows = counted(await getAll(`${this.#path}?limit=${PAGE}`, MOST));
      this.stale = false;
    } catch (problem) {
      this.stale = true;
      refused = problem.status >= 400 && problem.status < 500;
    }
    const now = JSON.stringify(this.rows);
    this.#pace = now === this.#seen ? Math.min(MOST_LOOK_MS, this.#pace * SLOWER) : LOOK_MS;
    this.#seen = now;
    const waiting = this.stale ? !refused : this.rows.some((row) => row.waiting);
    if (waiting) this.#timer = setTimeout(() => this.look(), Math.max(this.#pace, SHARE * (performance.now() - began)));
    this.emit('change');
  }
}

/** One row for each check that was asked for, and one for all that came at random. An excused one is as if not asked. */
function counted(items) {
  const rows = new Map();
  for (const { id, kind, cause, issued_at: at, result } of items) {
    if (result === 'excused') continue;
    const random = cause === 'random';
    const key = random ? '' : id;
    const row = rows.get(key) ?? { id: key, kind, at, random, asked: 0, passed: 0, failed: 0, waiting: 0 };
    rows.set(key, row);
    row.asked += 1;
    row[PASSED.has(result) ? 'passed' : FAILED.has(result) ? 'failed' : 'waiting'] += 1;
  }
  const all = [...rows.values()];
  return [...all.filter((row) => !row.random).slice(-SHOWN).reverse(), ...all.filter((row) => row.random)];
}
