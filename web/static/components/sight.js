/** How well screening sees a class: a sign and a word, the tone only repeats them. */
import { el } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { icon } from './icon.js';

const STATES = {
  seeing: ['sight.seeing', 'eye', 'ok'],
  behind: ['sight.behind', 'clock', 'warn'],
  blind: ['sight.blind', 'eyeOff', 'danger'],
  off: ['sight.off', 'eyeOff', 'neutral'],
};

/** In words, with since when where that matters, and what viewers get meanwhile. */
export function sightWords(sight) {
  const { seeing = 'off', since_ms: since, held_back: heldBack } = sight ?? {};
  const parts = [t(STATES[seeing]?.[0] ?? 'sight.off')];
  if (seeing === 'blind' && since) parts.push(t('sight.since', { time: format.clockExact(since) }));
  if (heldBack) parts.push(t('sight.held_back'));
  return parts.join(' ');
}

export function sightBadge(sight) {
  const [, symbol, tone] = STATES[sight?.seeing] ?? STATES.off;
  return el('span', { class: `badge sight ${tone}` }, icon(symbol), sightWords(sight));
}
