/** All lessons: make one, hand out its links, end it. */
import { stateBadge } from '../../components/badge.js';
import { button } from '../../components/button.js';
import { ask } from '../../components/dialog.js';
import { field, textInput } from '../../components/field.js';
import { table } from '../../components/table.js';
import { getAll, post } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { askLinks, showNewLesson } from './links.js';

const LONGEST_TITLE = 100;

export function lessonsSection() {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const make = button(t('lessons.create'), { kind: 'primary', symbol: 'plus', press: create });
  const list = table({
    caption: t('admin.lessons'), empty: t('lessons.empty'), file: 'lessons',
    columns: [
      { text: t('lessons.title'), value: ({ title }) => title },
      { text: t('lessons.state'), value: ({ state }) => state, cell: ({ state }) => stateBadge(state) },
      { text: t('lessons.instructor'), value: ({ instructor }) => instructor || '–' },
      { text: t('lessons.viewers'), value: ({ viewers }) => viewers ?? 0, cell: ({ viewers }) => format.count(viewers ?? 0), numeric: true },
      { text: t('lessons.created'), value: (row) => row.created_at, cell: (row) => format.dateTime(row.created_at), tight: true },
      { text: t('lessons.started'), value: (row) => row.started_at ?? '', cell: (row) => format.dateTime(row.started_at), tight: true },
      { text: t('table.actions'), value: () => '', plain: true, cell: actions },
    ],
  });
  const node = el('section', {}, el('div', { class: 'section-head' }, el('h2', {}, t('admin.lessons')), make), problem, list.node);

  async function refresh() {
    try {
      list.set(await getAll('/lessons?limit=200'));
      setText(problem, '');
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  async function create() {
    const title = textInput({ required: true, maxlength: LONGEST_TITLE, value: '' });
    const made = await ask({
      title: t('lessons.create'), label: t('lessons.create_confirm'), explain, focus: title,
      body: [field(t('lessons.title'), title, t('lessons.title_hint')).node],
      confirm: () => post('/lessons', { title: title.value.trim() }),
    });
    if (!made) return;
    await refresh();
    await showNewLesson(made, title.value.trim());
  }

  function actions(lesson) {
    const over = lesson.state === 'ended';
    const name = lesson.title || lesson.id;
    return el('div', { class: 'row' },
      button(t('lessons.links'), { kind: 'quiet', symbol: 'link', disabled: over, 'aria-label': t('lessons.links_of', { name }), press: () => askLinks(lesson) }),
      button(t('lessons.end'), { kind: 'quiet', symbol: 'stop', disabled: over, 'aria-label': t('lessons.end_of', { name }), press: () => end(lesson) }));
  }

  async function end(lesson) {
    await ask({
      title: t('lessons.end_title', { title: lesson.title }), body: [el('p', {}, t('lessons.end_text'))],
      label: t('lessons.end'), kind: 'danger', explain,
      confirm: () => post(`/lessons/${encodeURIComponent(lesson.id)}/end`),
    });
    await refresh();
  }

  return { node, refresh };
}
