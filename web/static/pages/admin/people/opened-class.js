/** One class with everything in one place: how it stands, its roster, who teaches it, groups, timetable. */
import { badge } from '../../../components/badge.js';
import { button } from '../../../components/button.js';
import { ask } from '../../../components/dialog.js';
import { field, textInput } from '../../../components/field.js';
import { tabs } from '../../../components/tabs.js';
import { get, post } from '../../../lib/api.js';
import { el, setText } from '../../../lib/dom.js';
import * as format from '../../../lib/format.js';
import { t } from '../../../lib/i18n.js';
import { word } from './fields.js';
import { say } from './problems.js';
import { rosterPanel, teachersPanel } from './roster.js';
import { timetablePanel } from './timetable.js';

const STEPS = { draft: ['submitted'], submitted: ['approved', 'refused', 'draft'], approved: ['draft'], refused: ['submitted'] };
const ACTS = { submitted: 'people.submit', approved: 'people.approve', refused: 'people.refuse', draft: 'people.take_back' };

const GATES = {
  class_archived: 'people.gate_archived', class_not_approved: 'people.gate_unapproved', class_too_large: 'people.gate_size', instructors_missing: 'people.gate_instructors',
};

export function openedClass(row, close) {
  const heading = el('h2', { tabindex: '-1' }, `${row.number} · ${row.name}`);
  const problem = el('p', { class: 'problem', role: 'alert' });
  const standing = el('div', { class: 'class-standing panel' });
  const panels = { roster: rosterPanel(row, refresh), teachers: teachersPanel(row, refresh), groups: groupsPanel(row), timetable: timetablePanel(row) };
  const names = { roster: 'people.roster', teachers: 'people.teachers', groups: 'people.groups', timetable: 'people.timetable' };
  const views = tabs(row.name, Object.entries(panels).map(([name, { node }]) => ({ name, text: t(names[name]), panel: node })), { changed: () => refresh() });
  const node = el('section', { class: 'opened-class' }, el('div', { class: 'section-head' }, heading, button(t('people.back'), { symbol: 'back', press: close })), problem, standing, views.node);

  async function refresh() {
    try {
      show(await get(`/classes/${row.id}`));
      await panels[views.current()].refresh();
      setText(problem, '');
    } catch (caught) {
      setText(problem, say(caught));
    }
  }

  function show(found) {
    const limit = found.size_limit ? t('people.of_limit', { n: format.count(found.learners), most: format.count(found.size_limit) }) : format.count(found.learners);
    const facts = [
      [t('people.project'), found.project_name], [t('people.preset'), word('preset', found.preset)], [t('people.learners'), limit],
      [t('people.lecturers'), format.count(found.lecturers)], [t('people.approval'), word('approval', found.approval)],
    ];
    const gates = found.gates.map((gate) => el('li', {}, badge(t('people.closed'), 'danger'), ` ${t(GATES[gate.code])} `, el('span', { class: 'hint' }, gate.clause)));
    standing.replaceChildren(
      el('dl', { class: 'why-facts' }, facts.flatMap(([name, words]) => [el('dt', {}, name), el('dd', {}, words)])),
      gates.length ? el('ul', { class: 'gates' }, gates) : el('p', {}, badge(t('people.open_gates'), 'ok')),
      el('div', { class: 'row' }, STEPS[found.approval].map((step) => button(t(ACTS[step]), { press: () => approve(step) }))));
  }

  async function approve(step) {
    const note = textInput({ maxlength: 500 });
    const done = await ask({ title: t(ACTS[step]), label: t(ACTS[step]), explain: say, focus: note, body: [field(t('people.note'), note, t('people.note_hint')).node],
      confirm: () => post(`/classes/${row.id}/approval`, { approval: step, note: note.value.trim() }) });
    if (done) await refresh();
  }

  return { node, refresh, focus: () => heading.focus() };
}

function groupsPanel(row) {
  const path = `/classes/${row.id}/groups`;
  const list = el('ul', { class: 'group-list' });
  const node = el('div', {}, el('div', { class: 'row panel-tools' }, button(t('people.add_group'), { kind: 'primary', symbol: 'plus', press: add })), list);

  async function refresh() {
    const { items } = await get(path);
    list.replaceChildren(...(items.length ? items.map(({ name, status }) => el('li', {}, name, ' ', status === 'archived' && badge(word('status', status)))) : [el('li', { class: 'hint' }, t('people.no_groups'))]));
  }

  async function add() {
    const name = textInput({ required: true, maxlength: 60 });
    const made = await ask({ title: t('people.add_group'), label: t('people.save'), explain: say, focus: name, body: [field(t('people.name'), name).node],
      confirm: () => post(path, { name: name.value.trim() }) });
    if (made) await refresh();
  }

  return { node, refresh };
}
