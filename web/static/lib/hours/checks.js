/** What missed checks cost (core/checks.py); a check is [at_ms, result]. */
import { union } from './spans.js';

const [WINDOW_MS, QUOTA] = [420_000, 9];
const EVERYTHING = [[-Infinity, Infinity]];
const missed = ([, result]) => result !== 'passed';

/** What the misses void. Joining, at `joinedMs` or null, counts as a pass. */
export function voided(mode, checks, joinedMs) {
  const all = judged(checks);
  const misses = all.filter(missed).map(([at]) => at);
  if (!misses.length) return [];
  if (mode === 'quota' && misses.length > QUOTA) return EVERYTHING;
  if (mode === 'jtt_like' && all.some((check, i) => i && missed(check) && missed(all[i - 1]))) return EVERYTHING;
  if (mode === 'window' || mode === 'jtt_like') return union(misses.map((at) => [at - WINDOW_MS, at + WINDOW_MS]));
  const passes = all.filter((check) => !missed(check)).map(([at]) => at).concat(joinedMs ?? []).sort((a, b) => a - b);
  return union(misses.map((at) => [passes.findLast((pass) => pass <= at) ?? -Infinity, passes.find((pass) => pass > at) ?? Infinity]));
}

/** What part of the rest counts: [numerator, denominator]. */
export function share(mode, checks) {
  const all = judged(checks);
  const passed = all.filter((check) => !missed(check)).length;
  return mode !== 'jtt_like' || 4 * passed >= 3 * all.length ? [1, 1] : [4 * passed, 3 * all.length];
}

/** Each once, in order, without those excused. */
function judged(checks) {
  const once = new Map(checks.filter(([, result]) => result !== 'excused').map((check) => [String(check), check]));
  return [...once.values()].sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1));
}
