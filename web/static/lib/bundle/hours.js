/**
 * The hours in a bundle (core/bundle/hours.py): those that the ledger settled, and reckoned again from the facts: of a
 * lesson from its entries, of one learner from his share.
 */
import { credit } from '../hours/credit.js';
import { Register } from '../hours/register.js';
import { encode, hex, sha256, unhex, written } from './bytes.js';
import { includes, leafHash } from './merkle.js';
import { ENTRIES, HOURS, LESSON, Misfit, object, objects } from './parts.js';

const AT_ONCE = 200;

/** Feed it with every entry, then `finish`. Throws a Misfit. */
export class Hours {
  constructor(parts, { person, lesson }) {
    const { settlement, as_of_ms: asOf } = object(parts, LESSON);
    Object.assign(this, { parts, person, lesson, settlement, asOf, register: new Register(), adjusted: new Map(), settled: null, policy: null });
  }

  take(entry) {
    const { type, data, index } = entry;
    try {
      if (type === 'attendance_settled' && data.revision === this.settlement?.revision) this.settled = data;
      if (this.settlement && index >= this.settlement.ledger_size) return;
      if (type === 'hours_policy') this.policy = data;
      else if (type === 'adjustment_decided' && data.state === 'approved') {
        this.adjusted.set(data.person, (this.adjusted.get(data.person) ?? 0) + data.delta_s);
      }
      if (this.person === null) this.register.take(entry);
    } catch {
      throw new Misfit('entry', ENTRIES, String(index));
    }
  }

  /** { learners, credited_s, reckoned_s }: what the bundle says, and what comes out here. They are the same. */
  async finish() {
    if (this.settlement && !this.settled) throw new Misfit('settlement', LESSON, 'settlement');
    const rows = [...objects(this.parts, HOURS)].map(([, row]) => row);
    if (this.settled) await (this.person === null ? this.#digest(rows) : this.#joined(rows[0]));
    try {
      return await (this.person === null ? this.#everybody(rows) : this.#own(rows));
    } catch (problem) {
      if (problem instanceof TypeError) throw new Misfit('reckoned', HOURS);
      throw problem;
    }
  }

  async #digest(rows) {
    const texts = rows.map(({ result }) => `${written(result)}\n`).join('');
    if (hex(await sha256(encode(texts))) !== this.settled.result_sha256) throw new Misfit('hours', HOURS);
  }

  async #joined(row) {
    const share = row && { facts: row.facts, person: this.person, result: row.result, salt: row.salt };
    const path = row?.path?.map((node) => unhex(node)) ?? [];
    const root = unhex(this.settled.people_root) ?? new Uint8Array();
    const good = row && !path.includes(null) && await includes(row.index, this.settled.people, await leafHash(encode(written(share))), path, root);
    if (!good) throw new Misfit('share', HOURS, this.person);
  }

  async #everybody(rows) {
    const frame = this.register.frame(this.asOf);
    const people = new Set(rows.map(({ person }) => person));
    if (people.size !== rows.length || people.size !== this.register.learners.size) throw new Misfit('reckoned', HOURS);
    const sums = { learners: rows.length, credited_s: 0, reckoned_s: 0 };
    for (const [i, { person, result, others }] of rows.entries()) {
      if (!this.register.learners.has(person)) throw new Misfit('reckoned', HOURS, person);
      const found = this.register.result(person, this.lesson, frame, others, this.adjusted.get(person) ?? 0);
      sums.credited_s += result.credited_s;
      sums.reckoned_s += found.credited_s;
      if (written(found) !== written(result)) throw new Misfit('reckoned', HOURS, person);
      if (i % AT_ONCE === 0) await new Promise((later) => { setTimeout(later); });
    }
    return sums;
  }

  async #own(rows) {
    const [{ person, facts, result }] = rows;
    if (rows.length !== 1 || person !== this.person) throw new Misfit('reckoned', HOURS);
    const frozen = this.policy ?? facts;
    const same = written([frozen.policy, frozen.planned_ms]) === written([facts.policy, facts.planned_ms]);
    const found = credit(facts);
    const [reckoned, told] = [Math.max(0, Math.floor(found.reckoned_ms / 1000) + result.adjusted_s), result.credited_s];
    const fits = reckoned === told && Object.entries(found).every(([name, value]) => written(value) === written(result[name]));
    if (!same || !fits) throw new Misfit('reckoned', HOURS, person);
    return { learners: 1, credited_s: told, reckoned_s: reckoned };
  }
}
