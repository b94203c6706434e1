/** What an upload would change: rows that are wrong, what comes and goes, and which recent messages fare otherwise. */
import { categoryName } from '../../components/category.js';
import { measureName } from '../../components/measure.js';
import { Problem, request } from '../../lib/api.js';
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';

const MOST_ROWS = 200;
const WRONG = {
  columns: 'lists.wrong_columns', word: 'lists.wrong_word', category: 'lists.wrong_category', severity: 'lists.wrong_severity',
  double: 'lists.wrong_double', too_large: 'lists.wrong_too_large',
};
const LONG_MS = 30_000;

/** Sends the rows; the server's answer, also where rows are wrong (then nothing was taken). */
export async function tryList(path, text, { csv, dryRun }) {
  const options = { method: 'POST', body: text, timeoutMs: LONG_MS, headers: { 'Content-Type': csv ? 'text/csv' : 'text/tab-separated-values' } };
  const response = await request(`/api/v1${path}?dry_run=${dryRun}`, options);
  const found = await response.json();
  if (!dryRun && found.errors?.length) throw new Problem('lexicon_invalid', 422, '');
  return found;
}

export function listPreview({ entries, added, removed, errors, looked_at: looked, hits }) {
  const wrong = errors.length > 0;
  return [
    el('p', { class: wrong ? 'problem' : '' }, wrong ? t('lists.wrong', { n: format.count(errors.length) }) : t('lists.changes', { entries: format.count(entries), added: format.count(added), removed: format.count(removed) })),
    wrong && box(t('lists.wrong_rows'), [t('lists.row'), t('lists.what')], errors.slice(0, MOST_ROWS).map(({ row, code, detail }) => [row ? String(row) : '–', code in WRONG ? t(WRONG[code]) : detail])),
    !wrong && el('p', {}, hits.length ? t('lists.hits', { n: format.count(hits.length), looked: format.count(looked) }) : t('lists.no_hits', { looked: format.count(looked) })),
    !wrong && hits.length > 0 && box(t('lists.hit_rows'), [t('lists.message'), t('lists.who'), t('lists.category'), t('lists.now'), t('lists.then')],
      hits.slice(0, MOST_ROWS).map(({ text, name, category, now, then }) => [text, name, categoryName(category), measureName(now), measureName(then)])),
  ].filter(Boolean);
}

function box(caption, heads, rows) {
  return el('div', { class: 'table-scroll preview', tabindex: '0', role: 'region', 'aria-label': caption }, el('table', {},
    el('caption', { class: 'unseen' }, caption), el('thead', {}, el('tr', {}, heads.map((head) => el('th', { scope: 'col' }, head)))),
    el('tbody', {}, rows.map((row) => el('tr', {}, row.map((text, i) => el('td', { 'data-label': heads[i] }, text)))))));
}
