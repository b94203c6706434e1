/**
 * In which order classes stand on the wall, as plain functions. First those that need a person now, then those where
 * something waits, then by the highest score of the last minute in steps, then by state; equals keep their places.
 */
import { summary } from '../../components/sparkline.js';

/** From this score on a class needs a person, whatever else. */
export const URGENT = 0.8;
/** Scores are compared in steps of this size, and a step is left only when the score is this much past its edge. */
const STEP = 0.2;
const SLACK = 0.05;
const STATES = { live: 0, paused: 1, cut: 2, waiting: 3, ended: 4 };

const watched = ({ state }) => state === 'live' || state === 'paused';

/** Why a class needs a person: 'incident' | 'risk' | 'blind' | null. */
export function need(lesson) {
  if (!watched(lesson)) return null;
  if (lesson.urgent > 0) return 'incident';
  if ((lesson.risk ?? 0) >= URGENT) return 'risk';
  return lesson.sight?.seeing === 'blind' ? 'blind' : null;
}

/** The step a score belongs to, given the one it was in: a score that wavers at an edge stays where it was. */
export function step(score, before) {
  const now = Math.floor(score / STEP);
  if (before === undefined || now === before) return now;
  const edge = now > before ? now * STEP : (now + 1) * STEP;
  return Math.abs(score - edge) > SLACK || Math.abs(now - before) > 1 ? now : before;
}

/** `lessons` as they should stand; `places` (id → index) is how they stand, and settles ties. */
export function wanted(lessons, places) {
  const last = lessons.length;
  const rank = (lesson) => [need(lesson) ? 0 : lesson.open + lesson.held > 0 ? 1 : 2, -(watched(lesson) ? lesson.step : 0), STATES[lesson.state] ?? 9,
    places.get(lesson.id) ?? last];
  const keys = new Map(lessons.map((lesson) => [lesson.id, rank(lesson)]));
  return [...lessons].sort((a, b) => compare(keys.get(a.id), keys.get(b.id)));
}

/** The ids of `order` with `pinned` left at its index in `before`: what is under the cursor stays there. */
export function around(order, before, pinned) {
  const at = before.indexOf(pinned);
  if (at < 0 || !order.includes(pinned)) return order;
  const others = order.filter((id) => id !== pinned);
  others.splice(Math.min(at, others.length), 0, pinned);
  return others;
}

/** While order is held: who is gone leaves, who is new stands at the end, nobody else moves. */
export function held(order, before) {
  const here = new Set(order);
  const known = new Set(before);
  return [...before.filter((id) => here.has(id)), ...order.filter((id) => !known.has(id))];
}

/** How many of `order` stand further up than in `before`. */
export function rising(order, before) {
  return order.filter((id, i) => before.indexOf(id) > i).length;
}

export const risk = (points) => summary(points).highest ?? 0;

function compare(a, b) {
  const i = a.findIndex((value, place) => value !== b[place]);
  return i < 0 ? 0 : a[i] - b[i];
}
