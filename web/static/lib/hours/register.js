/**
 * Who was in a lesson, from nothing but the facts of its ledger: core/register.py and core/presence.py over again.
 * Open ends are Infinity.
 */
import { bridged, intersect, length, subtract, union } from './spans.js';
import { credit } from './credit.js';

const [GRACE_MS, READING_GAP_MS] = [10_000, 60_000];
const DARK = ['lesson', 'pause'];
const MISSES = ['failed', 'timeout'];
const DEFAULT = {
  policy: { check_mode: 'since_last_pass', foreground_required_live: true, cap_to_plan: true, daily_cap_s: 21_600, lecturer_gap_s: 60 },
  planned_ms: null,
};

/** The state is `on` from `at`. What is told twice is told once; time goes on. */
function mark(spans, on, at) {
  const last = spans.at(-1);
  const isOn = last?.[1] === Infinity;
  if (on && !isOn) spans.push([last ? Math.max(at, last[1]) : at, Infinity]);
  else if (!on && isOn) last[1] = Math.max(at, last[0]);
}

/** The list of a key, made where there is none. */
function listOf(map, key) {
  if (!map.has(key)) map.set(key, []);
  return map.get(key);
}

/** Feed it with `take`, in the ledger's order. */
export class Register {
  constructor() {
    this.frozen = DEFAULT;
    this.started = null;
    this.ended = null;
    this.learners = new Map(); // person → lines: { joined, left, media, hidden }
    this.checks = new Map(); // person → [[at, result]]
    this.issued = new Map();
    this.places = new Map(); // person and check → in `checks`
    this.lines = new Map(); // open ones, by connection
    this.breaks = [];
    this.dark = [];
    this.publishing = new Map();
    this.silent = new Map();
  }

  take({ type, at_ms: at, data }) {
    RULES[type]?.(this, at, data);
  }

  /** The lesson up to `now`; one that is over, to its end. */
  frame(asked) {
    const now = this.ended ?? asked;
    if (this.started === null) return { now, teaching: [], lecturer: [], due: [] };
    const lesson = union([[this.started, now]]);
    const teaching = subtract(subtract(lesson, union(this.breaks)), union(this.dark));
    const publishing = union([...this.publishing.values()].flat());
    const silent = union([...this.silent.values()].flat());
    return { now, teaching, lecturer: intersect(publishing, lesson), due: intersect(teaching, subtract(publishing, silent)) };
  }

  /** One learner's result, as the bundle has it. */
  result(person, lesson, frame, other, adjusted) {
    const lines = this.learners.get(person);
    const checks = this.checks.get(person) ?? [];
    const presence = union(lines.flatMap((line) => present(line, frame)));
    const reckoned = credit({
      ...this.frozen, lecturer: frame.lecturer, teaching: frame.teaching, presence, checks, other, id: lesson,
      hidden: union(lines.flatMap((line) => intersect(union(line.hidden), [online(line, frame.now)]))),
    });
    const running = this.started === null ? [] : union([[this.started, Math.min(this.ended ?? frame.now, frame.now)]]);
    const left = Math.max(...lines.map((line) => line.left));
    return {
      ...reckoned,
      person,
      first_online_ms: Math.min(...lines.map((line) => line.joined)),
      last_offline_ms: left === Infinity ? null : left,
      spans: bridged(presence, READING_GAP_MS),
      session_ms: length(intersect(presence, running)),
      adjusted_s: adjusted,
      credited_s: Math.max(0, Math.floor(reckoned.reckoned_ms / 1000) + adjusted),
      checks: {
        issued: this.issued.get(person) ?? 0,
        passed: checks.filter(([, result]) => result === 'passed').length,
        missed: checks.filter(([, result]) => MISSES.includes(result)).length,
      },
    };
  }

  close(at) {
    for (const line of this.lines.values()) line.left = Math.max(at, line.joined);
    this.lines.clear();
    this.quiet(at);
  }

  quiet(at) {
    for (const spans of this.publishing.values()) mark(spans, false, at);
  }
}

const online = ({ joined, left }, now) => [joined, Math.min(left, Math.max(now, joined))];

/** When a connection counts as presence: connected, and receiving what there was to receive. */
function present(line, { now, due }) {
  const whole = union([online(line, now)]);
  const received = intersect(union(line.media), whole);
  if (!received.length) return [];
  const needed = intersect(due, whole);
  const ends = new Map(needed);
  const grace = ([start, end]) => ends.has(start) && end < ends.get(start) && end - start <= GRACE_MS;
  return subtract(whole, union(subtract(needed, received).filter((span) => !grace(span))));
}

const RULES = {
  hours_policy(all, _, { policy, planned_ms }) {
    all.frozen = { policy, planned_ms };
  },
  start(all, at) {
    all.started = at;
  },
  end(all, at) {
    all.ended = at;
    all.close(at);
  },
  interrupted(all, _, data) {
    all.close(data.until_ms);
  },
  join(all, at, { role, person, connection }) {
    if (role !== 'learner') return;
    const line = { joined: at, left: Infinity, media: [], hidden: [] };
    all.lines.set(connection, line);
    listOf(all.learners, person).push(line);
  },
  leave(all, at, { connection }) {
    const line = all.lines.get(connection);
    if (line) line.left = Math.max(at, line.joined);
    all.lines.delete(connection);
  },
  presence(all, _, { changes }) {
    for (const change of changes) {
      const line = all.lines.get(change.connection);
      if ('publisher' in change) mark(listOf(all.silent, change.publisher), !change.media, change.at_ms);
      else if (line && 'media' in change) mark(line.media, change.media, Math.max(change.at_ms, line.joined));
      else if (line && 'visibility' in change) mark(line.hidden, change.visibility === 'hidden', Math.max(change.at_ms, line.joined));
    }
  },
  publish(all, at, { connection }) {
    mark(listOf(all.publishing, connection), true, at);
  },
  unpublish(all, at, { connection, heard_at_ms: heard = at }) {
    mark(all.publishing.get(connection) ?? [], false, Math.min(at, heard));
  },
  pause(all, at) {
    mark(all.breaks, true, at);
  },
  resume(all, at) {
    mark(all.breaks, false, at);
  },
  cut(all, at, { level }) {
    if (DARK.includes(level)) mark(all.dark, true, at);
    if (level !== 'lesson') return;
    mark(all.breaks, false, at);
    all.quiet(at);
  },
  restore(all, at) {
    mark(all.dark, false, at);
  },
  challenge_issued(all, _, { checks }) {
    for (const person of Object.keys(checks)) all.issued.set(person, (all.issued.get(person) ?? 0) + 1);
  },
  challenge_resolved(all, _, { person, id, result, answered_at_ms: answered, issued_at_ms: issued }) {
    const checks = listOf(all.checks, person);
    all.places.set(`${person}\n${id}`, checks.length);
    checks.push([(result === 'passed' ? answered : null) ?? issued, result]);
  },
  challenge_revised(all, _, { person, id, after }) {
    const place = all.places.get(`${person}\n${id}`);
    if (place !== undefined) all.checks.get(person)[place][1] = after;
  },
};
