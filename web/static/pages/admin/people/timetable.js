/** The planned lessons of one class: made, moved, cancelled, handed out, taken away as a calendar. */
import { stateBadge } from '../../../components/badge.js';
import { button } from '../../../components/button.js';
import { ask, tell } from '../../../components/dialog.js';
import { field, textInput } from '../../../components/field.js';
import { table } from '../../../components/table.js';
import { toast } from '../../../components/toast.js';
import { get, post, put, request } from '../../../lib/api.js';
import { el } from '../../../lib/dom.js';
import * as format from '../../../lib/format.js';
import { t } from '../../../lib/i18n.js';
import { linkList, showNewLesson } from '../links.js';
import { picker } from './pick.js';
import { say } from './problems.js';

const LESSON_MINUTES = 45;
const SHOWN = 200;

export function timetablePanel(row) {
  const list = table({
    caption: t('people.timetable'), empty: t('people.no_lessons'), file: `timetable-${row.number}`,
    columns: [
      { text: t('people.planned_start'), value: (one) => one.planned_start ?? '', cell: (one) => format.dateTime(one.planned_start), tight: true },
      { text: t('people.minutes'), value: (one) => (one.planned_s ?? 0) / 60, numeric: true }, { text: t('lessons.title'), value: (one) => one.title },
      { text: t('people.course'), value: (one) => one.course || '–' }, { text: t('lessons.state'), value: (one) => one.state, cell: (one) => stateBadge(one.state) },
      { text: t('table.actions'), value: () => '', plain: true, cell: actions },
    ],
  });
  const node = el('div', {}, el('div', { class: 'row panel-tools' }, button(t('people.plan'), { kind: 'primary', symbol: 'plus', testid: 'plan-lesson', press: plan }),
    button(t('people.calendar'), { symbol: 'download', press: save })), list.node);

  async function refresh() {
    list.set((await get(`/classes/${row.id}/timetable?limit=${SHOWN}`)).items);
  }

  async function plan() {
    const title = textInput({ required: true, maxlength: 200, value: '' });
    const course = picker(t('people.course'), 'courses');
    const [start, minutes] = times(null, LESSON_MINUTES);
    const asked = ask({ title: t('people.plan'), label: t('people.plan'), explain: say, focus: title,
      body: [field(t('lessons.title'), title).node, course.node, field(t('people.planned_start'), start).node, field(t('people.minutes'), minutes).node],
      confirm: () => post('/lessons', { title: title.value.trim(), class: row.id, course: course.value(), ...read(start, minutes) }) });
    await course.load('');
    const made = await asked;
    if (!made) return;
    await refresh();
    await showNewLesson(made, title.value.trim());
  }

  function actions(lesson) {
    const begun = lesson.started_at !== null || lesson.state === 'ended';
    return el('div', { class: 'row' },
      button(t('people.move'), { kind: 'quiet', symbol: 'clock', disabled: begun, 'aria-label': t('people.move_of', { name: lesson.title }), press: () => move(lesson) }),
      button(t('people.links'), { kind: 'quiet', symbol: 'link', disabled: lesson.state === 'ended', 'aria-label': t('people.links_of', { name: lesson.title }), press: () => links(lesson) }),
      button(t('people.cancel'), { kind: 'quiet', symbol: 'close', disabled: begun, 'aria-label': t('people.cancel_of', { name: lesson.title }), press: () => cancel(lesson) }));
  }

  async function move(lesson) {
    const [start, minutes] = times(lesson.planned_start, (lesson.planned_s ?? LESSON_MINUTES * 60) / 60);
    const done = await ask({ title: t('people.move_of', { name: lesson.title }), label: t('people.save'), explain: say,
      body: [field(t('people.planned_start'), start).node, field(t('people.minutes'), minutes).node],
      confirm: () => put(`/lessons/${lesson.id}/plan`, read(start, minutes)) });
    if (done) await refresh();
  }

  async function cancel(lesson) {
    await ask({ title: t('people.cancel_of', { name: lesson.title }), label: t('people.cancel'), kind: 'danger', explain: say,
      body: [el('p', {}, t('people.cancel_text'))], confirm: () => post(`/lessons/${lesson.id}/end`) });
    await refresh();
  }

  async function links(lesson) {
    try {
      const { people } = await post(`/lessons/${lesson.id}/tokens`, { role: 'learner', roster: true });
      const rows = people.map(({ name, token }) => ({ name, href: new URL(`/learn/${lesson.id}#token=${token}`, location.origin).href }));
      await tell({ title: t('people.links_of', { name: lesson.title }), wide: true, body: [el('p', {}, t('links.secret')), linkList(rows)] });
    } catch (caught) {
      toast(say(caught), 'warn');
    }
  }

  async function save() {
    try {
      const response = await request(`/api/v1/classes/${row.id}/timetable.ics`);
      const address = URL.createObjectURL(await response.blob());
      el('a', { href: address, download: `timetable-${row.number}.ics` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 1000);
    } catch (caught) {
      toast(say(caught), 'warn');
    }
  }

  return { node, refresh };
}

function times(start, minutes) {
  const local = start && new Date(Date.parse(start) - new Date(start).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
  return [textInput({ type: 'datetime-local', value: local ?? '', required: true }), textInput({ type: 'number', min: 1, max: 1440, value: String(minutes), required: true, inputmode: 'numeric' })];
}

const read = (start, minutes) => ({ planned_start: new Date(start.value).toISOString(), planned_minutes: Number(minutes.value) });
