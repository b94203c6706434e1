/** A learner's own hours: what was credited, when, why not more, and how it changed. */
import '../components/hours-texts.js';
import { attendedBadges } from '../components/badge.js';
import { button } from '../components/button.js';
import { explainLesson } from '../components/explain-lesson.js';
import { farChart } from '../components/progress.js';
import { overTime } from '../components/over-time.js';
import { saveBundle } from '../components/save-bundle.js';
import { table } from '../components/table.js';
import { toast } from '../components/toast.js';
import { topbar } from '../components/topbar.js';
import { get } from '../lib/api.js';
import { el, mount, setText } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { length, status } from '../lib/hours.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';

const bar = topbar(t('hours.mine'));
const problem = el('p', { class: 'problem', role: 'alert' });
const sum = el('p', { class: 'why-sum', testid: 'own-hours' });
const courses = el('p', { class: 'hint' });
const averages = el('p', { class: 'hint' });
const time = overTime();
const projects = farChart(t('progress.projects'));
const lessons = table({
  caption: t('hours.lessons'), empty: t('hours.nothing'), file: 'hours',
  columns: [
    { text: t('lessons.title'), value: (row) => row.title },
    { text: t('lessons.started'), value: (row) => row.started_at ?? '', cell: (row) => format.dateTime(row.started_at), tight: true },
    { text: t('hours.status'), value: (row) => row.status.map(status).join(' '), cell: (row) => attendedBadges(row.status, status) },
    { text: t('hours.present'), value: (row) => row.session_s, cell: (row) => length(row.session_s), numeric: true },
    { text: t('hours.credited'), value: (row) => row.credited_s, cell: (row) => length(row.credited_s), numeric: true },
    { text: t('hours.lesson_hours'), value: (row) => Number(row.lesson_hours), cell: (row) => row.lesson_hours, numeric: true },
    { text: t('table.actions'), value: () => '', plain: true, cell: actions },
  ],
});

mount(bar.node, el('main', { class: 'inspect', tabindex: '-1' }, problem, el('section', { class: 'panel card' }, sum, courses, averages),
  projects.node, time.node,
  el('section', {}, el('div', { class: 'section-head' }, el('h2', {}, t('hours.lessons'))), lessons.node)));

function actions(row) {
  return el('div', { class: 'row' },
    button(t('hours.why'), { kind: 'quiet', symbol: 'list', testid: 'why', 'aria-label': t('hours.why_button', { name: row.title }), press: () => explainLesson(row.lesson, row.title) }),
    button(t('hours.proof'), { kind: 'quiet', symbol: 'download', testid: 'save-proof', 'aria-label': t('hours.proof_of', { name: row.title }), press: () => prove(row) }));
}

/** The bundle that proves this lesson's hours, with nobody else's data in it. */
async function prove(row) {
  try {
    await saveBundle(`/me/evidence/${encodeURIComponent(row.lesson)}`, row.lesson);
  } catch (caught) {
    toast(explain(caught), 'warn');
  }
}

async function refresh() {
  try {
    const [own, over] = await Promise.all([get('/me/hours'), get('/me/statistics')]);
    setText(sum, t('hours.mine_sum', { hours: own.lesson_hours, length: length(own.credited_s) }));
    setText(courses, t('hours.courses', over.courses));
    setText(averages, t('hours.averages', { active: length(over.average_active_day_s), calendar: length(over.average_calendar_day_s) }));
    time.set(over);
    projects.set(over.projects);
    projects.node.hidden = !over.projects.length;
    lessons.set(own.items);
  } catch (caught) {
    setText(problem, explain(caught));
  }
}

refresh();
// Drawn: for tests and for support.
document.documentElement.dataset.page = 'hours';
