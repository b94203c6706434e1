/** Hours over time: of a project and how far its learners are, of a course, of a learner (REQ-R2, R3, R5). */
import './people/texts.js';
import { button } from '../../components/button.js';
import { overTime } from '../../components/over-time.js';
import { farChart, progressBadge, stateText } from '../../components/progress.js';
import { table } from '../../components/table.js';
import { tabs } from '../../components/tabs.js';
import { textInput, field } from '../../components/field.js';
import { get } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import { length } from '../../lib/hours.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { picker } from './people/pick.js';

const SHOWN = 40; // bars, those who are farthest from the end first

export function statisticsSection() {
  const kinds = { 'statistics-projects': ofProject(), 'statistics-courses': ofCourse(), 'statistics-learners': ofLearner() };
  const texts = [t('progress.projects'), t('progress.courses'), t('progress.learners')];
  const nav = tabs(t('progress.of_what'), Object.entries(kinds).map(([name, { node }], i) => ({ name, text: texts[i], panel: node })), { changed: () => refresh() });
  const node = el('section', {}, el('h2', {}, t('progress.title')), el('p', { class: 'hint' }, t('progress.hint')), nav.node);
  const refresh = () => kinds[nav.current()].refresh();
  return { node, refresh };
}

/** One choice, a button, and what it shows. `period`: whether two days may be given; `show(found)`. */
function chosen(label, path, ask, inside, show, { period = true } = {}) {
  const pick = picker(label, path, { required: true });
  const [since, until] = [textInput({ type: 'date' }), textInput({ type: 'date' })];
  const problem = el('p', { class: 'problem', role: 'alert' });
  const found = el('div', { hidden: true, class: 'stacked' }, inside);
  const node = el('div', { class: 'stacked', testid: `statistics-of-${path}` }, el('div', { class: 'row ends' }, pick.node,
    period && [field(t('progress.since'), since).node, field(t('progress.until'), until).node],
    button(t('progress.show'), { kind: 'primary', testid: `show-${path}`, press: look })), problem, found);

  async function look() {
    const days = new URLSearchParams(Object.entries({ since: since.value, until: until.value }).filter(([, day]) => day));
    try {
      if (!pick.value()) return;
      show(await get(`${ask(pick)}${days.size ? `?${days}` : ''}`));
      found.hidden = false;
      setText(problem, '');
    } catch (caught) {
      found.hidden = true;
      setText(problem, caught.code === 'not_found' ? t('hours.nothing') : explain(caught));
    }
  }

  return { node, refresh: () => pick.load('') };
}

const person = { text: t('hours.name'), value: ({ name, person: id }) => name || id };
const held = { text: t('progress.lessons'), value: ({ lessons }) => lessons, numeric: true };
const hours = { text: t('hours.lesson_hours'), value: (row) => Number(row.lesson_hours), cell: (row) => row.lesson_hours, numeric: true };
const done = { text: t('progress.state'), value: ({ state }) => stateText(state), cell: ({ state }) => progressBadge(state) };
const credited = (key) => ({ text: t('hours.credited'), value: (row) => row[key], cell: (row) => length(row[key]), numeric: true });

function ofProject() {
  const sum = el('p', { class: 'why-sum', testid: 'project-sum' });
  const far = farChart(t('progress.each'));
  const rows = table({ caption: t('progress.each'), empty: t('hours.nobody'), file: 'project', columns: [person, held, credited('counted_s'), hours, done] });
  return chosen(t('people.project'), 'projects', (pick) => `/statistics/projects/${encodeURIComponent(pick.value())}`, [sum, far.node, rows.node], (found) => {
    setText(sum, t(found.required_hours ? 'progress.sum' : 'progress.sum_open', { finished: found.finished, learners: found.learners, hours: found.required_hours }));
    far.set([...found.items].sort((one, other) => one.counted_s - other.counted_s).slice(0, SHOWN));
    rows.set(found.items);
  }, { period: false });
}

function ofCourse() {
  const [sum, averages, time] = [el('p', { class: 'why-sum', testid: 'course-sum' }), el('p', { class: 'hint' }), overTime()];
  const rows = table({ caption: t('progress.each'), empty: t('hours.nobody'), file: 'course', columns: [person, held, credited('cumulative_s'), hours, done] });
  return chosen(t('progress.course'), 'courses', (pick) => `/statistics/courses/${encodeURIComponent(pick.row().name)}`, [sum, averages, time.node, rows.node], (found) => {
    setText(sum, t('progress.course_sum', { learners: found.learners, finished: found.finished, lessons: found.held_lessons, hours: found.lesson_hours }));
    setText(averages, average(found));
    time.set(found);
    rows.set(found.items);
  });
}

function ofLearner() {
  const [sum, averages, time] = [el('p', { class: 'why-sum', testid: 'learner-sum' }), el('p', { class: 'hint' }), overTime()];
  const projects = farChart(t('progress.projects'));
  const course = { text: t('progress.course'), value: (row) => row.course };
  const rows = table({ caption: t('progress.courses'), empty: t('hours.nothing'), file: 'learner', columns: [course, held, credited('cumulative_s'), hours, done] });
  return chosen(t('progress.learner'), 'persons', (pick) => `/statistics/learners/${encodeURIComponent(pick.value())}`, [sum, averages, projects.node, time.node, rows.node], (found) => {
    setText(sum, `${t('hours.mine_sum', { hours: found.lesson_hours, length: length(found.cumulative_s) })} ${t('hours.courses', found.courses)}`);
    setText(averages, average(found));
    projects.set(found.projects);
    time.set(found);
    rows.set(found.courses.items);
  });
}

const average = (found) => t('progress.averages', {
  from: found.from, to: found.to, period: length(found.period_s), active: length(found.average_active_day_s), calendar: length(found.average_calendar_day_s),
});
