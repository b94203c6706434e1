/** Pieces of time that earn, { from, to, earned } in ms, and what is cut off them (core/earning.py). */

const [DAY_MS, CHINA_MS] = [86_400_000, 28_800_000];

/** a * b / c rounded down, whatever their size. */
export const part = (a, b, c) => Number(BigInt(a) * BigInt(b) / BigInt(c));
export const total = (pieces) => pieces.reduce((sum, { earned }) => sum + earned, 0);

/** The pieces as far as they earn `ms`; the rest is void for `reason`. */
export function cutAfter(pieces, ms, reason) {
  const [kept, voids] = [[], []];
  let left = ms;
  for (const piece of pieces) {
    if (piece.earned <= left) {
      kept.push(piece);
      left -= piece.earned;
      continue;
    }
    const end = piece.from + part(piece.to - piece.from, left, piece.earned);
    if (left) kept.push({ from: piece.from, to: end, earned: left });
    voids.push([end, piece.to, reason]);
    left = 0;
  }
  return [kept, voids];
}

/** At most `cap` ms on each day in China; `elsewhere`: the day's time that other activities have. */
export function withinDays(pieces, elsewhere, cap, reason) {
  const days = new Map();
  for (const piece of pieces) {
    for (const [day, one] of byDay(piece)) days.set(day, [...(days.get(day) ?? []), one]);
  }
  const [kept, voids] = [[], []];
  for (const [day, parts] of days) {
    let rest = cap;
    const inOrder = [...parts, ...on(day, elsewhere)].sort((a, b) => a.from - b.from || a.to - b.to || a.earned - b.earned);
    for (const one of inOrder) {
      if (one.earned < 0) {
        rest = Math.max(0, rest + one.earned);
        continue;
      }
      const [some, late] = cutAfter([one], rest, reason);
      rest -= total(some);
      kept.push(...some);
      voids.push(...late);
    }
  }
  return [kept, voids];
}

/** Whole seconds by day; a second that midnight divides falls to the day that completes it. */
export function seconds(pieces) {
  const byDays = new Map();
  for (const piece of pieces) for (const [day, one] of byDay(piece)) byDays.set(day, (byDays.get(day) ?? 0) + one.earned);
  const days = {};
  let before = 0;
  for (const day of [...byDays.keys()].sort((a, b) => a - b)) {
    const count = Math.floor((before + byDays.get(day)) / 1000) - Math.floor(before / 1000);
    before += byDays.get(day);
    if (count) days[new Date(day * DAY_MS).toISOString().slice(0, 10)] = count;
  }
  return days;
}

const dayOf = (ms) => Math.floor((ms + CHINA_MS) / DAY_MS);
const startOf = (day) => day * DAY_MS - CHINA_MS;

function* byDay(piece) {
  let rest = piece;
  for (;;) {
    const day = dayOf(rest.from);
    const midnight = startOf(day + 1);
    if (rest.to <= midnight) {
      yield [day, rest];
      return;
    }
    const first = part(rest.earned, midnight - rest.from, rest.to - rest.from);
    yield [day, { from: rest.from, to: midnight, earned: first }];
    rest = { from: midnight, to: rest.to, earned: rest.earned - first };
  }
}

function* on(day, elsewhere) {
  const [start, end] = [startOf(day), startOf(day + 1)];
  for (const [from, to] of elsewhere) {
    if (from >= end || to <= start) continue;
    const [since, until] = [Math.max(from, start), Math.min(to, end)];
    yield { from: since, to: until, earned: since - until };
  }
}
