/** What both carriers say of a lesson, in one shape. */

/** The cut of a lesson as the REST interface gives it, in the control messages' shape; null when there is none. */
export function cutOf({ cut }) {
  return cut ? { level: cut.level, reason: cut.reason, at_ms: Date.parse(cut.at) } : null;
}

/** Cut levels that take the picture away; `chat` leaves it. */
const DARK = new Set(['picture', 'pause', 'lesson', 'person']);

export const isDark = ({ state, cut }) => state === 'cut' || Boolean(cut && DARK.has(cut.level));
