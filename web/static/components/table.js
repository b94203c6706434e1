import { el } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { button } from './button.js';
import { field, textInput } from './field.js';

const PAGE = 25;
const FIND_MS = 250; // after the last letter

/**
 * A table that searches, sorts, pages and exports.
 * columns: [{ name, text, value(row) → string|number, cell(row) → node|string?, numeric?, tight?, plain? }];
 * `tight` columns do not wrap, `plain` ones (buttons) neither sort nor export; without `file` there is no export.
 * `set(rows)` keeps search, order and page. With `find` the rows are searched elsewhere: it is called when the
 * words were changed, which `words()` gives.
 */
export function table({ caption, columns, empty, file, find = null }) {
  const state = { rows: [], words: '', by: null, up: true, page: 0 };
  const body = el('tbody');
  const position = el('p', { class: 'table-position', 'aria-live': 'polite' });
  const search = textInput({ type: 'search', on: { input: searched } });
  const earlier = button(t('table.previous'), { press: () => turn(-1) });
  const later = button(t('table.next'), { press: () => turn(1) });
  const heads = columns.map((column) => head(column, () => order(column)));
  const save = file && button(t('table.export'), { symbol: 'download', press: () => exportCsv(columns, chosen(), file) });
  const node = el('div', { class: 'table-box' },
    el('div', { class: 'table-tools' }, field(t('table.search'), search).node, save),
    el('div', { class: 'table-scroll', tabindex: '0', role: 'region', 'aria-label': caption },
      el('table', {}, el('caption', { class: 'unseen' }, caption), el('thead', {}, el('tr', {}, heads)), body)),
    el('div', { class: 'table-foot' }, position, earlier, later));

  let timer = 0;

  function searched() {
    state.words = search.value;
    state.page = 0;
    if (!find) return render();
    clearTimeout(timer);
    timer = setTimeout(find, FIND_MS);
    return undefined;
  }

  function order(column) {
    state.up = state.by === column ? !state.up : true;
    state.by = column;
    heads.forEach((cell, i) => {
      if (columns[i] === column) cell.setAttribute('aria-sort', state.up ? 'ascending' : 'descending');
      else cell.removeAttribute('aria-sort');
    });
    render();
  }

  function turn(step) {
    state.page += step;
    render();
  }

  function chosen() {
    const words = state.words.trim().toLowerCase();
    const kept = state.rows.filter((row) => !words || find || columns.some((column) => !column.plain
      && String(column.value(row) ?? '').toLowerCase().includes(words)));
    if (!state.by) return kept;
    const sign = state.up ? 1 : -1;
    return [...kept].sort((a, b) => sign * compare(state.by.value(a), state.by.value(b)));
  }

  function render() {
    const rows = chosen();
    const pages = Math.max(1, Math.ceil(rows.length / PAGE));
    state.page = Math.min(Math.max(0, state.page), pages - 1);
    const shown = rows.slice(state.page * PAGE, (state.page + 1) * PAGE);
    body.replaceChildren(...shown.map((row) => el('tr', {}, columns.map((column) => cell(column, row)))));
    if (!shown.length) {
      body.append(el('tr', {}, el('td', { colspan: columns.length, class: 'table-empty' },
        state.words ? t('table.nothing') : empty)));
    }
    position.textContent = t('table.position', { page: state.page + 1, pages, rows: rows.length });
    earlier.disabled = state.page === 0;
    later.disabled = state.page >= pages - 1;
  }

  render();
  return { node, words: () => state.words, set: (rows) => { state.rows = rows; render(); } };
}

function head(column, order) {
  const inside = column.plain ? el('span', { class: 'unseen' }, column.text)
    : el('button', { type: 'button', class: 'sort', on: { click: order } }, column.text);
  return el('th', { scope: 'col', class: column.numeric && 'numeric' }, inside);
}

function cell(column, row) {
  const shown = column.cell ? column.cell(row) : String(column.value(row) ?? '–');
  return el('td', { class: column.numeric ? 'numeric' : column.tight && 'tight', 'data-label': column.text }, shown);
}

function compare(a, b) {
  if (typeof a === 'number' && typeof b === 'number') return a - b;
  return String(a ?? '').localeCompare(String(b ?? ''));
}

function exportCsv(columns, rows, file) {
  const kept = columns.filter((column) => !column.plain);
  // A leading = + - @ would be run as a formula by a spreadsheet.
  const quote = (value) => `"${String(value ?? '').replace(/^([=+\-@\t])/, "'$1").replaceAll('"', '""')}"`;
  const lines = [kept.map(({ text }) => quote(text)), ...rows.map((row) => kept.map(({ value }) => quote(value(row))))];
  // The byte order mark tells spreadsheets that this is UTF-8.
  const blob = new Blob(['\ufeff', lines.map((line) => line.join(',')).join('\r\n')], { type: 'text/csv' });
  const address = URL.createObjectURL(blob);
  el('a', { href: address, download: `${file}.csv` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
