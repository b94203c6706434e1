/**
 * Sets of time as half-open spans [from, to), whole milliseconds (core/spans.py). A set is a list of spans in order
 * that neither overlap nor touch; `union` makes one of anything, the others take and give sets.
 */

export function union(spans) {
  const merged = [];
  for (const [start, end] of [...spans].sort((a, b) => a[0] - b[0] || a[1] - b[1])) {
    const last = merged.at(-1);
    if (end <= start) continue;
    if (last && start <= last[1]) last[1] = Math.max(last[1], end);
    else merged.push([start, end]);
  }
  return merged;
}

export function intersect(some, others) {
  const common = [];
  for (let i = 0, j = 0; i < some.length && j < others.length;) {
    const [start, end] = [Math.max(some[i][0], others[j][0]), Math.min(some[i][1], others[j][1])];
    if (start < end) common.push([start, end]);
    if (some[i][1] < others[j][1]) i += 1;
    else j += 1;
  }
  return common;
}

/** What lies in `some` and not in `others`. */
export function subtract(some, others) {
  const left = [];
  let j = 0;
  for (const [from, end] of some) {
    let start = from;
    while (j < others.length && others[j][1] <= start) j += 1;
    for (let k = j; k < others.length && others[k][0] < end; k += 1) {
      if (start < others[k][0]) left.push([start, others[k][0]]);
      start = Math.max(start, others[k][1]);
    }
    if (start < end) left.push([start, end]);
  }
  return left;
}

export const length = (spans) => spans.reduce((sum, [start, end]) => sum + end - start, 0);

/** What is left without the first `ms` of it. */
export function afterFirst(spans, ms) {
  let skip = ms;
  const left = [];
  for (const [start, end] of spans) {
    const skipped = Math.min(skip, end - start);
    skip -= skipped;
    if (start + skipped < end) left.push([start + skipped, end]);
  }
  return left;
}

/** The set with its gaps of at most `ms` filled. */
export function bridged(spans, ms) {
  const filled = [];
  for (const [start, end] of spans) {
    const last = filled.at(-1);
    if (last && start - last[1] <= ms) last[1] = end;
    else filled.push([start, end]);
  }
  return filled;
}
