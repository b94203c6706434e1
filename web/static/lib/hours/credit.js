/**
 * What a live lesson is worth to one person under its frozen policy: core/hours.py over again, in the form facts have
 * in an evidence bundle. What the two say is compared in tests/evidence/test_reckoned.py; a recorded lesson's playback
 * is in no bundle.
 */
import { share, voided } from './checks.js';
import { cutAfter, part, seconds, total, withinDays } from './pieces.js';
import { afterFirst, intersect, length, subtract, union } from './spans.js';

const LATE_MS = 300_000;

/** { reckoned_ms, earned, status, void, days } of facts, as a result in a bundle has them. */
export function credit(facts) {
  const { policy } = facts;
  const [presence, hidden, teaching] = [union(facts.presence), union(facts.hidden), union(facts.teaching)];
  const voids = [];
  let left = teaching;

  function drop(reason, spans) {
    const dropped = intersect(left, spans);
    voids.push(...dropped.map(([from, to]) => [from, to, reason]));
    left = subtract(left, dropped);
  }

  if (facts.lecturer !== null) drop('lecturer_absent', away(left, union(facts.lecturer), policy.lecturer_gap_s * 1000));
  if (policy.cap_to_plan && facts.planned_ms !== null) drop('over_plan', afterFirst(left, facts.planned_ms));
  const earnable = left;
  drop('absent', subtract(left, presence));
  if (policy.foreground_required_live) drop('hidden', hidden);
  drop('check_failed', voided(policy.check_mode, facts.checks, presence[0]?.[0] ?? null));
  drop('overlap', won(facts));

  const [counted, whole] = share(policy.check_mode, facts.checks);
  let pieces = left.map(([from, to]) => ({ from, to, earned: to - from }));
  let lost;
  [pieces, lost] = cutAfter(pieces, part(total(pieces), counted, whole), 'check_failed');
  voids.push(...lost);
  const elsewhere = subtract(union(facts.other.map(([, , from, to]) => [from, to])), left);
  [pieces, lost] = withinDays(pieces, elsewhere, policy.daily_cap_s * 1000, 'over_daily_cap');
  voids.push(...lost);
  const reckoned = total(pieces);
  return {
    reckoned_ms: reckoned,
    earned: union(pieces.map(({ from, to }) => [from, to])),
    status: status(presence, teaching, earnable, reckoned),
    void: merged(voids),
    days: seconds(pieces),
  };
}

/** Teaching time without a lecturer, where it lasts longer than `gap` ms. */
const away = (teaching, lecturer, gap) => union(teaching.flatMap((span) => subtract([span], lecturer)).filter(([from, to]) => to - from > gap));

/** Where another live activity has the instant: the earlier start, then the lower id. */
function won({ presence, other, id }) {
  if (!presence.length) return [];
  const started = Math.min(...presence.map(([from]) => from));
  const before = ([name, kind, , , began]) => kind !== 'recorded' && (began < started || (began === started && name < id));
  return union(other.filter(before).map(([, , from, to]) => [from, to]));
}

function status(presence, teaching, earnable, reckoned) {
  if (!presence.length || 2 * reckoned < length(earnable)) return ['absent'];
  const found = [];
  if (teaching.length) {
    const [, ends] = (earnable.length ? earnable : teaching).at(-1);
    if (presence[0][0] >= teaching[0][0] + LATE_MS) found.push('late');
    if (presence.at(-1)[1] <= ends - LATE_MS) found.push('left_early');
  }
  return found.length ? found : ['present'];
}

/** In order of time, what touches and has one reason put together. */
function merged(voids) {
  return [...byReason(voids)].flatMap(([reason, spans]) => union(spans).map(([from, to]) => [from, to, reason]))
    .sort((a, b) => a[0] - b[0] || a[1] - b[1] || (a[2] < b[2] ? -1 : 1));
}

function byReason(voids) {
  const found = new Map();
  for (const one of voids) found.set(one[2], [...(found.get(one[2]) ?? []), one]);
  return found;
}
