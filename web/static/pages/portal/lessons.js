/** My lessons: what is live now, what comes next, what is over with the hours it was worth. */
import '../../components/hours-texts.js';
import { attendedBadges, badge, stateBadge } from '../../components/badge.js';
import { button } from '../../components/button.js';
import { tell } from '../../components/dialog.js';
import { toast } from '../../components/toast.js';
import { get, getAll, post, request } from '../../lib/api.js';
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { length, status } from '../../lib/hours.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { goTo } from '../../lib/session.js';

const ON = new Set(['live', 'paused', 'cut']);
const startOf = (lesson) => (lesson.planned_start ? Date.parse(lesson.planned_start) : Number.MAX_SAFE_INTEGER);

export function lessonsSection() {
  const list = el('div', { class: 'portal-lessons', testid: 'my-lessons' }, el('p', { class: 'empty', role: 'status' }, t('mine.loading')));
  const zone = button(t('portal.zone'), { 'aria-pressed': 'false', testid: 'zone', lang: 'zh-CN', press: () => choose(true) });
  const all = button(t('mine.all'), { 'aria-pressed': 'true', press: () => choose(false) });
  const sum = el('span', { testid: 'my-hours' });
  const hoursLine = el('p', { class: 'row', hidden: true }, sum, button(t('hours.mine'), { kind: 'quiet', symbol: 'list', press: () => goTo('/hours') }));
  const node = el('section', { class: 'mine', 'aria-labelledby': 'mine' },
    el('div', { class: 'section-head' }, el('h2', { id: 'mine' }, t('mine.title')), el('div', { class: 'row', role: 'group', 'aria-label': t('mine.filter') }, all, zone)),
    hoursLine, list);
  let lessons = [];
  let hours = new Map();
  let onlyZone = false;

  function choose(on) {
    onlyZone = on;
    zone.setAttribute('aria-pressed', String(on));
    all.setAttribute('aria-pressed', String(!on));
    draw();
  }

  function draw() {
    const shown = lessons.filter((lesson) => !onlyZone || lesson.zone);
    const parts = [
      ['mine.now', shown.filter(({ state }) => ON.has(state)), startOf],
      ['mine.next', shown.filter(({ state }) => state === 'waiting'), startOf],
      ['mine.past', shown.filter(({ state }) => state === 'ended'), (lesson) => -startOf(lesson)],
    ].filter(([, some]) => some.length);
    if (!parts.length) {
      list.replaceChildren(el('p', { class: 'empty' }, t(onlyZone ? 'mine.none_in_zone' : 'mine.none')));
      return;
    }
    list.replaceChildren(...parts.map(([key, some, order]) => el('section', { class: 'lesson-group' }, el('h3', {}, t(key)),
      el('ul', { class: 'lesson-cards' }, some.toSorted((a, b) => order(a) - order(b)).map((lesson) => card(lesson, hours.get(lesson.id)))))));
  }

  async function refresh() {
    try {
      const [mine, own] = await Promise.all([getAll('/me/lessons', 500), get('/me/hours').catch(() => null)]);
      lessons = mine;
      hours = new Map((own?.items ?? []).map((item) => [item.lesson, item]));
      hoursLine.hidden = !own?.items.length;
      if (own) sum.textContent = t('hours.mine_sum', { hours: own.lesson_hours, length: length(own.credited_s) });
      draw();
    } catch (caught) {
      list.replaceChildren(el('p', { class: 'problem', role: 'alert' }, explain(caught)));
    }
  }

  return { node, refresh };
}

function card(lesson, own) {
  const [teaching, on] = [lesson.role === 'instructor', ON.has(lesson.state)];
  const when = lesson.planned_start ? format.dateTime(lesson.planned_start) : t('mine.no_time');
  const about = [lesson.class, lesson.course, lesson.planned_s && t('mine.planned', { n: Math.round(lesson.planned_s / 60) })].filter(Boolean);
  const actions = lesson.state === 'ended' ? past(lesson, own, teaching)
    : [button(t(teaching ? 'mine.teach' : 'mine.learn'), { kind: on ? 'primary' : 'plain', symbol: on ? 'live' : undefined, testid: 'enter-lesson',
      'aria-label': t(teaching ? 'mine.teach_named' : 'mine.learn_named', { title: lesson.title }), press: () => enter(lesson) })];
  return el('li', { class: on ? 'panel lesson-card on' : 'panel lesson-card' },
    el('div', { class: 'lesson-when' }, stateBadge(lesson.state), el('span', {}, when), lesson.zone && badge(t('portal.zone'), 'ok')),
    el('h4', { class: 'lesson-title' }, lesson.title), el('p', { class: 'hint' }, about.join(' · ')),
    el('div', { class: 'row lesson-actions' }, actions));
}

function past(lesson, own, teaching) {
  if (teaching) return [button(t('mine.recordings'), { kind: 'quiet', symbol: 'play', 'aria-label': t('mine.recordings_named', { title: lesson.title }), press: () => recordings(lesson) })];
  if (!own) return [el('span', { class: 'hint' }, t('mine.not_settled'))];
  return [attendedBadges(own.status, status), el('span', { class: 'credited' }, t('mine.credited', { hours: own.lesson_hours, length: length(own.credited_s) })),
    button(t('hours.why'), { kind: 'quiet', symbol: 'list', 'aria-label': t('hours.why_button', { name: lesson.title }), press: () => explainHours(lesson) })];
}

async function enter(lesson) {
  try {
    const { role, token } = await post(`/lessons/${encodeURIComponent(lesson.id)}/entry`);
    goTo(`/${role === 'instructor' ? 'teach' : 'learn'}/${encodeURIComponent(lesson.id)}`, token);
  } catch (caught) {
    toast(explain(caught), 'warn');
  }
}

async function explainHours(lesson) {
  const { explainLesson } = await import('../../components/explain-lesson.js');
  await explainLesson(lesson.id, lesson.title);
}

async function recordings(lesson) {
  try {
    const { token } = await post(`/lessons/${encodeURIComponent(lesson.id)}/entry`);
    const headers = { Authorization: `Bearer ${token}` };
    const { items } = await (await request(`/api/v1/lessons/${encodeURIComponent(lesson.id)}/recordings`, { headers })).json();
    const rows = items.map((one) => el('li', { class: 'row' }, stateBadge(one.state), el('span', {}, format.dateTime(one.started_at)), el('span', {}, format.elapsed(one.duration_ms)),
      one.state === 'sealed' && button(t('mine.watch'), { kind: 'quiet', symbol: 'play', press: () => goTo(`/watch/${encodeURIComponent(one.id)}`, token) })));
    await tell({ title: lesson.title, body: [rows.length ? el('ul', { class: 'plain-list' }, rows) : el('p', {}, t('mine.no_recordings'))] });
  } catch (caught) {
    toast(explain(caught), 'warn');
  }
}
