/** One class on the wall. */
import { badge, stateBadge } from '../../components/badge.js';
import { icon } from '../../components/icon.js';
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';

const SOURCES = [['camera', 'source.camera', 'camera'], ['screen', 'source.screen', 'screen'], ['microphone', 'source.microphone', 'mic']];

/** What is on, in words with their icons; an empty list says so. */
export function sourceList(lesson) {
  const on = SOURCES.filter(([name]) => lesson.sources?.[name]);
  const sent = lesson.sources?.blank ? [badge(t('source.blank'), 'warn')] : [];
  const parts = on.map(([, key, symbol]) => el('span', { class: 'source' }, icon(symbol), t(key)));
  return [...parts, ...sent].length ? [...parts, ...sent] : [el('span', { class: 'hint' }, t('source.none'))];
}

export const ranFor = (lesson, now = Date.now()) => {
  const since = format.toMs(lesson.started_at);
  return since === null ? '–' : format.elapsed((format.toMs(lesson.ended_at) ?? now) - since);
};

export function cutWords(lesson, mine) {
  if (!lesson.cut) return null;
  const { level, reason, at, by } = lesson.cut;
  const name = typeof by === 'object' ? by?.name ?? by?.person : by;
  const parts = [t('cut.done', { level: t(LEVELS[level] ?? 'level.lesson'), time: format.clockExact(at) })];
  if (name) parts.push(t('cut.by', { name }));
  if (mine?.dark_ms !== undefined && mine.dark_ms !== null) parts.push(t('cut.dark', { n: Math.max(1, Math.ceil(mine.dark_ms)) }));
  if (mine) parts.push(t('cut.answered', { n: Math.round(mine.answer_ms) }));
  if (reason) parts.push(t('cut.reason', { reason }));
  return parts.join(' ');
}

export const LEVELS = {
  chat: 'level.chat', picture: 'level.picture', pause: 'level.pause', lesson: 'level.lesson', person: 'level.person',
};

export function tile(lesson, { selected, mine, press, enter }) {
  const words = cutWords(lesson, mine);
  return el('li', {}, el('button', {
    type: 'button', class: `tile ${lesson.state}`, 'data-lesson': lesson.id, tabindex: selected ? '0' : '-1',
    'aria-current': selected ? 'true' : null, on: { click: press, dblclick: enter },
  },
  el('span', { class: 'tile-head' }, stateBadge(lesson.state), el('span', { class: 'figure' }, ranFor(lesson))),
  el('span', { class: 'tile-title' }, lesson.title || lesson.id),
  el('span', { class: 'hint' }, lesson.instructor || t('moderate.nobody')),
  el('span', { class: 'tile-foot' }, el('span', { class: 'source' }, icon('people'), format.count(lesson.viewers ?? 0)), sourceList(lesson)),
  words && el('span', { class: 'tile-cut' }, words)));
}
