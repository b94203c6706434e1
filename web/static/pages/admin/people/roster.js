/** The learners of one class, and those who teach it. */
import { badge } from '../../../components/badge.js';
import { button } from '../../../components/button.js';
import { ask } from '../../../components/dialog.js';
import { field, select, textInput } from '../../../components/field.js';
import { table } from '../../../components/table.js';
import { toast } from '../../../components/toast.js';
import { get, patch, post } from '../../../lib/api.js';
import { el } from '../../../lib/dom.js';
import * as format from '../../../lib/format.js';
import { t } from '../../../lib/i18n.js';
import { WORDS, word } from './fields.js';
import { importRoster } from './import.js';
import { picker } from './pick.js';
import { say } from './problems.js';
import { saveCsv } from './shelf.js';

const SHOWN = 200;

export function rosterPanel(row, changed) {
  const path = `/classes/${row.id}/roster`;
  let groups = new Map();
  const list = table({
    caption: t('people.roster'), empty: t('people.nobody'), file: null, find: () => refresh(),
    columns: [
      { text: t('people.student_no'), value: (one) => one.student_no || '–' }, { text: t('people.person_name'), value: (one) => one.name },
      { text: t('people.phone'), value: (one) => one.phone || '–', tight: true }, { text: t('people.group'), value: (one) => groups.get(one.group) ?? '–' },
      { text: t('people.status'), value: (one) => one.status, cell: (one) => badge(word('status', one.status), one.status === 'enrolled' ? 'ok' : 'neutral') },
      { text: t('people.since'), value: (one) => one.enrolled_at, cell: (one) => format.day(one.enrolled_at), tight: true },
      { text: t('table.actions'), value: () => '', plain: true, cell: (one) => leaving(path, one, ['enrolled', 'left'], changed) },
    ],
  });
  const node = el('div', {}, el('div', { class: 'row panel-tools' },
    button(t('people.import'), { kind: 'primary', symbol: 'upload', testid: 'import-roster', press: async () => { if (await importRoster(row)) changed(); } }),
    button(t('people.enrol'), { symbol: 'plus', press: enrol }), button(t('table.export'), { symbol: 'download', press: () => saveCsv(`classes/${row.id}/roster`) })), list.node);

  async function refresh() {
    groups = new Map((await get(`/classes/${row.id}/groups`)).items.map(({ id, name }) => [id, name]));
    list.set((await get(`${path}?limit=${SHOWN}&q=${encodeURIComponent(list.words().trim())}`)).items);
  }

  async function enrol() {
    const person = picker(t('people.learner'), 'persons', { required: true });
    const number = textInput({ maxlength: 40 });
    const asked = ask({ title: t('people.enrol'), label: t('people.enrol'), explain: say, body: [person.node, field(t('people.student_no'), number).node],
      confirm: () => post(path, { person: person.value(), student_no: number.value.trim() }) });
    await person.load('');
    if (await asked) changed();
  }

  return { node, refresh };
}

export function teachersPanel(row, changed) {
  const path = `/classes/${row.id}/instructors`;
  const list = table({
    caption: t('people.teachers'), empty: t('people.nobody'), file: `instructors-${row.number}`,
    columns: [
      { text: t('people.person_name'), value: (one) => one.name }, { text: t('people.role'), value: (one) => word('role', one.role) },
      { text: t('people.certificate'), value: (one) => one.certificate_no || '–' }, { text: t('people.full_time'), value: (one) => (one.full_time ? t('people.yes') : '–') },
      { text: t('people.status'), value: (one) => word('status', one.status) },
      { text: t('table.actions'), value: () => '', plain: true, cell: (one) => leaving(path, one, ['assigned', 'released'], changed) },
    ],
  });
  const node = el('div', {}, el('div', { class: 'row panel-tools' }, button(t('people.assign'), { kind: 'primary', symbol: 'plus', press: assign })), list.node);

  async function refresh() {
    list.set((await get(`${path}?limit=${SHOWN}`)).items);
  }

  async function assign() {
    const person = picker(t('people.teacher'), 'persons', { required: true });
    const role = select(Object.entries(WORDS.role).map(([value, key]) => [value, t(key)]));
    const number = textInput({ maxlength: 60 });
    const full = el('input', { type: 'checkbox' });
    const asked = ask({ title: t('people.assign'), label: t('people.assign'), explain: say,
      body: [person.node, field(t('people.role'), role).node, field(t('people.certificate'), number).node, el('label', { class: 'check' }, full, t('people.full_time'))],
      confirm: () => post(path, { person: person.value(), role: role.value, certificate_no: number.value.trim(), full_time: full.checked }) });
    await person.load('');
    if (await asked) changed();
  }

  return { node, refresh };
}

/** The button that lets somebody leave, or brings him back. */
function leaving(path, one, [inside, outside], changed) {
  const isIn = one.status === inside;
  const label = t(isIn ? 'people.let_go' : 'people.bring_back');
  return button(label, { kind: 'quiet', symbol: isIn ? 'close' : 'restore', 'aria-label': `${label}: ${one.name}`, press: async () => {
    try {
      await patch(`${path}/${encodeURIComponent(one.person)}`, { status: isIn ? outside : inside });
    } catch (caught) {
      toast(say(caught), 'warn');
    }
    changed();
  } });
}
