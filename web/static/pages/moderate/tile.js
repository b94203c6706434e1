/** One class on the wall: built once, changed in place, so that focus, hovering and pictures stay where they are. */
import { badge, stateBadge } from '../../components/badge.js';
import { subject } from '../../components/category.js';
import { icon } from '../../components/icon.js';
import { sightBadge } from '../../components/sight.js';
import { sparkline } from '../../components/sparkline.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { isDark } from '../../lib/lesson.js';
import { cutWords } from './cut-words.js';
import { need, URGENT } from './order.js';

const OUTCOMES = { open: 'incident.open', confirmed: 'incident.confirmed', dismissed: 'incident.dismissed' };
const NEEDS = { incident: 'need.incident', risk: 'need.risk', blind: 'need.blind' };

const SOURCES = [['camera', 'source.camera', 'camera'], ['screen', 'source.screen', 'screen'], ['microphone', 'source.microphone', 'mic']];

/** What is on, in words with their icons; an empty list says so. */
export function sourceList(lesson) {
  const on = SOURCES.filter(([name]) => lesson.sources?.[name]).map(([, key, symbol]) => el('span', { class: 'source' }, icon(symbol), t(key)));
  const parts = [...on, lesson.sources?.blank && badge(t('source.blank'), 'warn')].filter(Boolean);
  return parts.length ? parts : [el('span', { class: 'hint' }, t('source.none'))];
}

export const ranFor = (lesson, now = Date.now()) => (lesson.started_at_ms
  ? format.elapsed((lesson.ended_at_ms ?? now) - lesson.started_at_ms) : '–');

/** { node, button, set(lesson, …), paint(track, bitmap) } */
export function tile(id, { press, enter }) {
  const canvas = { camera: picture('tile-picture'), screen: picture('tile-inset') };
  const words = el('span', { class: 'tile-words' });
  const state = el('span');
  const ran = el('span', { class: 'figure' });
  const sight = el('span', { class: 'tile-sight' });
  const title = el('span', { class: 'tile-title' });
  const teacher = el('span', { class: 'hint tile-teacher' });
  const viewers = el('span', { class: 'figure' });
  const counts = el('span', { class: 'tile-counts' });
  const line = sparkline();
  const score = el('span', { class: 'figure tile-score' });
  const hit = el('span', { class: 'tile-hit' });
  const cut = el('span', { class: 'tile-cut' });
  const shown = el('span', { class: 'tile-stage' }, canvas.camera, canvas.screen, words,
    el('span', { class: 'tile-over' }, state, sight));
  const button = el('button', { type: 'button', class: 'tile', tabindex: '-1', on: { click: () => press(id), dblclick: () => enter(id) } },
    shown, title, teacher,
    el('span', { class: 'tile-foot' }, el('span', { class: 'source' }, icon('people'), viewers), counts, ran),
    el('span', { class: 'tile-risk' }, line.node, score), hit, cut);
  const node = el('li', { class: 'tile-box' }, button);
  const drawn = {};

  /** Draws a part anew only when what it shows has changed. */
  function part(name, key, draw) {
    if (drawn[name] === key) return;
    drawn[name] = key;
    draw();
  }

  function set(lesson, { selected, mine, fresh, near }) {
    button.tabIndex = selected ? 0 : -1;
    if (selected) button.setAttribute('aria-current', 'true');
    else button.removeAttribute('aria-current');
    button.dataset.state = lesson.state;
    button.dataset.need = need(lesson) ?? '';
    setText(title, lesson.title || lesson.id);
    setText(teacher, lesson.instructor || t('moderate.nobody'));
    setText(viewers, format.count(lesson.viewers ?? 0));
    setText(ran, ranFor(lesson));
    part('state', lesson.state, () => state.replaceChildren(stateBadge(lesson.state)));
    part('sight', JSON.stringify(lesson.sight), () => sight.replaceChildren(...(lesson.sight && lesson.state === 'live' ? [sightBadge(lesson.sight)] : [])));
    part('counts', `${lesson.open} ${lesson.held} ${lesson.chat_on}`, () => counts.replaceChildren(...countBadges(lesson)));
    part('hit', JSON.stringify(lesson.hit), () => hit.replaceChildren(...hitWords(lesson.hit)));
    setText(cut, cutWords(lesson, mine) ?? '');
    if (near) drawRisk(lesson);
    drawStage(lesson, fresh);
  }

  function drawRisk(lesson) {
    line.set(lesson.points);
    const level = lesson.risk >= URGENT ? 'hot' : lesson.risk >= 0.5 ? 'warm' : 'calm';
    line.node.dataset.level = level;
    setText(score, lesson.points.length ? format.percent(lesson.risk) : '');
    score.dataset.level = level;
  }

  function drawStage(lesson, fresh) {
    const both = Boolean(lesson.sources?.screen && lesson.sources?.camera);
    const main = lesson.sources?.screen ? 'screen' : 'camera';
    canvas[main].className = 'tile-picture';
    canvas[main === 'screen' ? 'camera' : 'screen'].className = both ? 'tile-inset' : 'unseen';
    const text = stageWords(lesson, fresh);
    shown.dataset.fresh = String(fresh);
    setText(words, text ?? '');
  }

  function paint(track, bitmap) {
    const to = canvas[track];
    if (to.width !== bitmap.width) to.width = bitmap.width;
    if (to.height !== bitmap.height) to.height = bitmap.height;
    to.getContext('bitmaprenderer').transferFromImageBitmap(bitmap);
    if (shown.dataset.fresh === 'true') return;
    shown.dataset.fresh = 'true';
    setText(words, '');
  }

  return { node, button, set, paint };
}

const picture = (name) => el('canvas', { class: name, width: 320, height: 180 });

function stageWords(lesson, fresh) {
  if (lesson.state === 'cut') return t('moderate.stage_cut');
  if (lesson.state === 'ended') return t('moderate.stage_ended');
  if (fresh) return isDark(lesson) ? t('tile.only_here') : null;
  if (isDark(lesson)) return t('moderate.stage_cut');
  if (lesson.state === 'waiting' || lesson.publishing === false) return t('moderate.stage_waiting');
  if (lesson.state === 'paused') return t('moderate.stage_paused');
  if (lesson.sources?.blank) return t('moderate.stage_blank');
  if (lesson.sources && !lesson.sources.camera && !lesson.sources.screen) return t('source.none');
  return lesson.sight?.seeing && lesson.sight.seeing !== 'off' ? t('tile.coming') : t('tile.no_pictures');
}

function countBadges({ open, held, chat_on: chatOn }) {
  return [
    open > 0 && badge(t('tile.open', { n: format.count(open) }), 'danger'),
    held > 0 && badge(t('tile.held', { n: format.count(held) }), 'warn'),
    chatOn === false && badge(t('tile.chat_off')),
  ].filter(Boolean);
}

function hitWords(hit) {
  if (!hit) return [];
  const score = hit.kind === 'blind' ? '' : ` ${format.percent(hit.score)}`;
  return [icon(hit.state === 'dismissed' ? 'ok' : 'warn'),
    el('span', {}, `${subject(hit)}${score} · ${format.clockExact(hit.at_ms)} · ${t(OUTCOMES[hit.state] ?? 'incident.open')}`)];
}

/** What a class needs somebody for, in one line. */
export function needWords(lesson) {
  const why = need(lesson);
  const about = why === 'incident' && lesson.hit ? ` ${subject(lesson.hit)} · ${format.clockExact(lesson.hit.at_ms)}` : '';
  return `${t(NEEDS[why])}${about}`;
}
