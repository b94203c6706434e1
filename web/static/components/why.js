/** Why the hours are what they are: the sum, the lesson as a bar, and every span that does not count. */
import { el } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { length, reason, spans } from '../lib/hours.js';
import { t } from '../lib/i18n.js';
import { timebar } from './timebar.js';

const SHOWN = 40;

/**
 * why({ from, to, taught, voids, session_s, credited_s, lesson_hours, note }): times in ms, `voids` as either
 * carrier has them, `note` what stands below.
 */
export function why({ from, to, taught, voids, session_s: session, credited_s: credited, lesson_hours: hours, note }) {
  const lost = spans(voids);
  const sum = t('hours.sum', { credited: length(credited), session: length(session), hours });
  return el('div', { class: 'why' },
    el('p', { class: 'why-sum' }, sum),
    to > from && timebar({ from, to, taught, voids: lost, said: `${sum} ${lost.map(line).join(' ')}` }),
    el('h3', {}, t('hours.lost')),
    lost.length
      ? el('ul', { class: 'why-list', testid: 'why-list' }, lost.slice(-SHOWN).map((span) => el('li', {}, line(span),
        el('span', { class: 'hint' }, t('hours.clause', { clause: span.clause })))))
      : el('p', { class: 'hint' }, t('hours.all_counts')),
    note);
}

const line = ({ from, to, reason: name }) => t('hours.span', {
  from: format.clockExact(from), to: format.clockExact(to), length: length((to - from) / 1000), reason: reason(name),
});
