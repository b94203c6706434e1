/** A roster from a file: every row looked at first, then all good ones taken at once. */
import { badge } from '../../../components/badge.js';
import { ask } from '../../../components/dialog.js';
import { field } from '../../../components/field.js';
import { toast } from '../../../components/toast.js';
import { request } from '../../../lib/api.js';
import { el } from '../../../lib/dom.js';
import * as format from '../../../lib/format.js';
import { t } from '../../../lib/i18n.js';
import { say } from './problems.js';

const XLSX = 'application/vnd.openxmlformats-officedocument.spreadsheetml.sheet';
const SHOWN = 200;
const LONG_MS = 60_000;
const STATES = {
  new: ['people.row_new', 'ok'], known: ['people.row_known', 'ok'], returns: ['people.row_returns', 'ok'], enrolled: ['people.row_enrolled', 'neutral'], bad: ['people.row_bad', 'danger'],
};
const COLUMNS = {
  name: 'people.person_name', phone: 'people.phone', student_no: 'people.student_no', enterprise: 'people.enterprise', group: 'people.group', identity: 'people.identity',
  target_group: 'people.target_group', subsidy_type: 'people.subsidy_type', person: 'people.id',
};

/** Whether anything was taken. */
export async function importRoster(row) {
  const file = el('input', { type: 'file', class: 'input', accept: '.csv,.xlsx,text/csv', required: true, testid: 'roster-file' });
  const seen = await ask({
    title: t('people.import_of', { name: row.name }), label: t('people.import_look'), testid: 'roster-look', explain: say, focus: file, wide: true,
    body: [el('p', {}, t('people.import_text')), field(t('people.file'), file, t('people.file_hint')).node],
    confirm: async () => ({ file: file.files[0], found: await send(row, file.files[0], true) }),
  });
  if (!seen) return false;
  const { found } = seen;
  const taken = await ask({
    title: t('people.import_seen', { name: row.name }), label: found.good ? t('people.import_take', { n: format.count(found.good) }) : t('action.close'), testid: 'roster-take',
    explain: say, wide: true, body: preview(found), confirm: () => (found.good ? send(row, seen.file, false) : null),
  });
  if (!taken) return false;
  toast(t('people.import_taken', { n: format.count(taken.good) }));
  return true;
}

async function send(row, file, dryRun) {
  const type = /\.xlsx$/i.test(file.name) ? XLSX : 'text/csv';
  const options = { method: 'POST', body: file, timeoutMs: LONG_MS, headers: { 'Content-Type': type } };
  const response = await request(`/api/v1/classes/${row.id}/roster/import?dry_run=${dryRun}`, options);
  return response.json();
}

function preview({ good, bad, ignored, items }) {
  const rows = [...items.filter(({ state }) => state === 'bad'), ...items.filter(({ state }) => state !== 'bad')];
  const heads = [t('people.row'), t('people.person_name'), t('people.phone'), t('people.student_no'), t('people.becomes')];
  return [
    el('p', { class: bad ? 'problem' : '', role: 'status' }, t('people.import_sum', { good: format.count(good), bad: format.count(bad) })),
    ignored.length > 0 && el('p', { class: 'hint' }, t('people.import_ignored', { names: ignored.join('、') })),
    rows.length > SHOWN && el('p', { class: 'hint' }, t('people.import_first', { n: SHOWN })),
    el('div', { class: 'table-scroll preview', tabindex: '0', role: 'region', 'aria-label': t('people.import_rows') }, el('table', { testid: 'roster-preview' },
      el('caption', { class: 'unseen' }, t('people.import_rows')), el('thead', {}, el('tr', {}, heads.map((head) => el('th', { scope: 'col' }, head)))),
      el('tbody', {}, rows.slice(0, SHOWN).map((row) => previewRow(row, heads))))),
  ];
}

function previewRow({ row, name, phone, student_no: number, state, errors }, heads) {
  const [key, tone] = STATES[state];
  const why = errors.map((error) => el('p', { class: 'row-wrong' }, `${COLUMNS[error.column] ? `${t(COLUMNS[error.column])}: ` : ''}${say(error)}`));
  const cells = [String(row), name || '–', phone || '–', number || '–', el('div', {}, badge(t(key), tone), why)];
  return el('tr', {}, cells.map((cell, i) => el('td', { 'data-label': heads[i] }, cell)));
}
