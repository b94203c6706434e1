/** Lessons and who attended them: for administrators, inspectors and instructors. */
import './hours-texts.js';
import { adjusting } from './adjusting.js';
import { attendedBadges, stateBadge } from './badge.js';
import { barChart } from './bars.js';
import { button } from './button.js';
import { checksList } from './checks-list.js';
import { tell } from './dialog.js';
import { table } from './table.js';
import { toast } from './toast.js';
import { why } from './why.js';
import { get, getAll, request } from '../lib/api.js';
import { el, setText } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { changeOf, checkMode, length, spans, status } from '../lib/hours.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';

const TONES = { present: 'good', late: 'open', left_early: 'open', absent: 'bad' };
const of = (id) => `/lessons/${encodeURIComponent(id)}`;

/** A list of lessons; one of them opened. `changes`: whether hours may be changed from here; `more(lesson)`: more buttons. */
export function attendanceSection({ changes = false, more = () => [] } = {}) {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const lessons = table({
    caption: t('hours.lessons'), empty: t('lessons.empty'), file: null,
    columns: [
      { text: t('lessons.title'), value: ({ title }) => title },
      { text: t('lessons.state'), value: ({ state }) => state, cell: ({ state }) => stateBadge(state) },
      { text: t('lessons.started'), value: (row) => row.started_at ?? '', cell: (row) => format.dateTime(row.started_at), tight: true },
      { text: t('table.actions'), value: () => '', plain: true, cell: (row) => el('div', { class: 'row' }, button(t('hours.open'), { kind: 'quiet', symbol: 'people', disabled: !row.started_at,
        testid: 'open-attendance', 'aria-label': t('hours.open_of', { name: row.title || row.id }), press: () => open(row) }), more(row)) },
    ],
  });
  const inside = el('div', { hidden: true });
  const node = el('section', {}, el('div', { class: 'section-head' }, el('h2', {}, t('hours.attendance')),
    button(t('action.refresh'), { symbol: 'restore', press: () => refresh() })), problem, lessons.node, inside);
  let opened = null;

  async function refresh() {
    try {
      lessons.set(await getAll('/lessons?limit=200'));
      if (opened) await opened.refresh();
      setText(problem, '');
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  async function open(lesson) {
    opened = openedLesson(lesson, { changes, close });
    inside.replaceChildren(opened.node);
    inside.hidden = false;
    lessons.node.hidden = true;
    await refresh();
    opened.node.querySelector('h3').focus();
  }

  function close() {
    opened = null;
    inside.hidden = true;
    lessons.node.hidden = false;
  }

  return { node, refresh };
}

function openedLesson(lesson, { changes, close }) {
  const heading = el('h3', { tabindex: '-1' }, lesson.title || lesson.id);
  const about = el('p', { class: 'hint' });
  const chart = barChart({ label: t('hours.who_came'), empty: t('hours.nobody') });
  const pending = changes ? adjusting(lesson, { changed: () => refresh() }) : null;
  const list = table({
    caption: t('hours.attendance'), empty: t('hours.nobody'), file: null,
    columns: [
      { text: t('hours.name'), value: (row) => row.name || row.person },
      { text: t('hours.status'), value: (row) => row.status.map(status).join(' '), cell: (row) => attendedBadges(row.status, status) },
      { text: t('hours.online'), value: (row) => row.first_online_at, tight: true,
        cell: (row) => `${format.clock(row.first_online_at)} – ${row.last_offline_at ? format.clock(row.last_offline_at) : t('hours.still_here')}` },
      { text: t('hours.present'), value: (row) => row.session_s, cell: (row) => length(row.session_s), numeric: true },
      { text: t('hours.cumulative'), value: (row) => row.cumulative_s, cell: (row) => length(row.cumulative_s), numeric: true },
      { text: t('hours.credited'), value: (row) => row.credited_s, cell: (row) => length(row.credited_s), numeric: true },
      { text: t('hours.lesson_hours'), value: (row) => Number(row.lesson_hours), cell: (row) => row.lesson_hours, numeric: true },
      { text: t('hours.checks'), value: (row) => row.checks.missed, cell: (row) => t('hours.checks_of', row.checks), tight: true },
      { text: t('table.actions'), value: () => '', plain: true, tight: true, cell: (row) => button(t('hours.why'), { kind: 'quiet', symbol: 'list', testid: 'why',
        'aria-label': t('hours.why_button', { name: row.name || row.person }), press: () => explainRow(row) }) },
    ],
  });
  const node = el('section', { class: 'opened-attendance' },
    el('div', { class: 'section-head' }, heading, el('div', { class: 'row' },
      button(t('hours.back'), { symbol: 'back', press: close }),
      button('XLSX', { symbol: 'download', 'aria-label': t('hours.save_xlsx'), press: () => save('xlsx') }),
      button('CSV', { symbol: 'download', 'aria-label': t('hours.save_csv'), press: () => save('csv') }))),
    about, chart.node, list.node, pending?.node);

  async function refresh() {
    const rows = [];
    let page = null;
    do {
      page = await get(`${of(lesson.id)}/attendance${page ? `?after=${encodeURIComponent(page.next)}` : ''}`);
      rows.push(...page.items);
    } while (page.next);
    list.set(rows);
    const taught = t('hours.taught', { teaching: length(page.teaching_s), lecturer: length(page.lecturer_s) });
    setText(about, `${taught} ${settled(page.settlement)}`);
    const names = Object.keys(TONES).map((name) => [name, rows.filter((row) => row.status.includes(name)).length]).filter(([, n]) => n);
    chart.set(names.map(([name, n]) => ({ name: status(name), text: format.count(n), parts: [{ value: n, tone: TONES[name] }] })), Math.max(1, rows.length));
    await pending?.refresh(new Map(rows.map((row) => [row.person, row.name])));
  }

  async function explainRow(row) {
    try {
      const found = await get(`${of(lesson.id)}/attendance/${encodeURIComponent(row.person)}`);
      const taught = spans(found.teaching);
      const [from, to] = [taught[0]?.from ?? 0, taught.at(-1)?.to ?? 0];
      const note = el('dl', { class: 'why-facts' }, facts(found).flatMap(([name, words]) => [el('dt', {}, name), el('dd', {}, words)]));
      const checks = checksList(lesson.id, { person: row.person, name: () => row.name || row.person, excuses: changes, reviews: changes, changed: refresh });
      await tell({ title: t('hours.why_of', { name: row.name || row.person }), wide: true,
        body: [why({ ...found, voids: found.void, from, to, taught, note }), pending?.ask(row), checks.node] });
    } catch (caught) {
      toast(explain(caught), 'warn');
    }
  }

  async function save(kind) {
    try {
      const response = await request(`/api/v1${of(lesson.id)}/attendance.${kind}`, { timeoutMs: 60_000 });
      const address = URL.createObjectURL(await response.blob());
      el('a', { href: address, download: `attendance-${lesson.id}.${kind}` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 1000);
    } catch (caught) {
      toast(explain(caught), 'warn');
    }
  }

  return { node, refresh };
}

function settled(settlement) {
  if (!settlement) return t('hours.provisional');
  return t('hours.settled', { n: settlement.revision, when: format.dateTime(settlement.at) });
}

function facts(found) {
  const adjusted = found.adjustments.filter(({ state }) => state === 'approved');
  return [
    [t('hours.policy'), t('hours.policy_text', { preset: found.policy.preset, mode: checkMode(found.policy.policy.check_mode) })],
    [t('hours.checks'), t('hours.checks_of', found.checks)],
    ...adjusted.map((change) => [t('hours.adjusted'), t('hours.adjusted_text', {
      delta: changeOf(change), reason: change.reason, one: change.requested_by, other: change.decided_by })]),
    [t('hours.revision'), settled(found.settlement)],
    ...(found.settlement ? [[t('hours.hash'), el('code', {}, found.settlement.sha256)]] : []),
  ];
}
