import { el } from '../lib/dom.js';
import { t } from '../lib/i18n.js';

const STATES = {
  waiting: ['state.waiting', 'neutral'],
  live: ['state.live', 'live'],
  paused: ['state.paused', 'warn'],
  cut: ['state.cut', 'danger'],
  ended: ['state.ended', 'neutral'],
  recording: ['recording.recording', 'live'],
  sealing: ['recording.sealing', 'warn'],
  sealed: ['recording.sealed', 'ok'],
  failed: ['recording.failed', 'danger'],
  deleted: ['recording.deleted', 'neutral'],
};

/** A word with a tone; the tone only repeats what the word says. */
export const badge = (text, tone = 'neutral') => el('span', { class: `badge ${tone}` }, text);

/** The badge of a lesson's or a recording's state. */
export function stateBadge(state) {
  const [key, tone] = STATES[state] ?? [null, 'neutral'];
  return badge(key ? t(key) : String(state), tone);
}

const ATTENDED = { present: 'ok', late: 'warn', left_early: 'warn', absent: 'danger' };

/** The badges of how somebody attended; `words` says each. */
export const attendedBadges = (names, words) => el('span', { class: 'statuses' }, names.map((name) => badge(words(name), ATTENDED[name])));
