/** All things of one kind: searched on the server, added, changed, archived and brought back, taken away as CSV. */
import { badge } from '../../../components/badge.js';
import { button } from '../../../components/button.js';
import { ask } from '../../../components/dialog.js';
import { field, select, textInput } from '../../../components/field.js';
import { table } from '../../../components/table.js';
import { toast } from '../../../components/toast.js';
import { get, patch, post, request } from '../../../lib/api.js';
import { el, setText } from '../../../lib/dom.js';
import { t } from '../../../lib/i18n.js';
import { KINDS, labelOf, shown, word } from './fields.js';
import { askFor } from './form.js';
import { say } from './problems.js';

const SHOWN = 200;

/** `open(row)`: what a row's own button does, for kinds that have more than a form; `opens`: its text. */
export function shelf(kind, { open = null, opens = 'people.open' } = {}) {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const more = el('p', { class: 'hint', role: 'status' });
  const status = select([['active', t('people.active')], ['archived', t('people.archived')]], { on: { change: () => refresh() } });
  const add = button(t(KINDS[kind].add), { kind: 'primary', symbol: 'plus', testid: `add-${kind}`, press: create });
  const save = button(t('table.export'), { symbol: 'download', press: () => saveCsv(kind, query()) });
  const list = table({
    caption: t(KINDS[kind].title), empty: t('people.empty'), file: null, find: () => refresh(),
    columns: [
      ...KINDS[kind].columns.map((name) => ({ text: labelOf(kind, name), value: (row) => shown(kind, name, row), cell: name === 'approval' ? approval : undefined })),
      { text: t('table.actions'), value: () => '', plain: true, cell: actions },
    ],
  });
  const node = el('section', {}, el('div', { class: 'section-head' }, el('h2', {}, t(KINDS[kind].title)), el('div', { class: 'row' }, save, add)),
    problem, el('div', { class: 'shelf-status' }, field(t('people.status'), status).node), list.node, more);

  const query = () => `q=${encodeURIComponent(list.words().trim())}&status=${status.value}`;

  async function refresh() {
    try {
      const { items, next } = await get(`/${kind}?${query()}&limit=${SHOWN}`);
      list.set(items);
      setText(more, next ? t('people.more', { n: SHOWN }) : '');
      setText(problem, '');
    } catch (caught) {
      setText(problem, say(caught));
    }
  }

  async function create() {
    const made = await askFor(kind, t(KINDS[kind].add), (values) => post(`/${kind}`, values));
    if (made) await refresh();
  }

  async function edit(row) {
    const now = await get(`/${kind}/${row.id}`);
    const changed = await askFor(kind, t('people.change_of', { name: row.name }), (values) => patch(`/${kind}/${row.id}`, values), now);
    if (changed) await refresh();
  }

  async function setStatus(row) {
    const back = row.status === 'archived';
    try {
      await post(`/${kind}/${row.id}/${back ? 'restore' : 'archive'}`);
      toast(t(back ? 'people.restored' : 'people.put_away', { name: row.name }));
    } catch (caught) {
      toast(say(caught), 'warn');
    }
    await refresh();
  }

  async function erase(row) {
    const reason = textInput({ required: true, maxlength: 200 });
    const erased = await ask({ title: t('people.erase_of', { name: row.name }), label: t('people.erase'), kind: 'danger', explain: say, focus: reason,
      body: [el('p', {}, t('people.erase_text')), field(t('people.reason'), reason, t('people.reason_hint')).node],
      confirm: async () => { await post(`/${kind}/${row.id}/erasure`, { reason: reason.value.trim() }); return true; } });
    if (erased) await refresh();
  }

  function actions(row) {
    const back = row.status === 'archived';
    return el('div', { class: 'row' },
      open && button(t(opens), { kind: 'quiet', symbol: 'people', testid: `open-${kind}`, 'aria-label': `${t(opens)}: ${row.name}`, press: () => open(row) }),
      button(t('people.change'), { kind: 'quiet', symbol: 'list', 'aria-label': t('people.change_of', { name: row.name }), press: () => edit(row) }),
      button(t(back ? 'people.restore' : 'people.archive'), { kind: 'quiet', symbol: back ? 'restore' : 'file',
        'aria-label': t(back ? 'people.restore_of' : 'people.archive_of', { name: row.name }), press: () => setStatus(row) }),
      kind === 'persons' && back && row.name && button(t('people.erase'), { kind: 'quiet', symbol: 'close', 'aria-label': t('people.erase_of', { name: row.name }), press: () => erase(row) }));
  }

  return { node, refresh };
}

const TONES = { approved: 'ok', refused: 'danger', submitted: 'warn' };
const approval = (row) => badge(word('approval', row.approval), TONES[row.approval]);

/** A list of the server's as a file; personal data is masked in it. */
export async function saveCsv(path, query = '') {
  try {
    const response = await request(`/api/v1/${path}.csv?${query}`, { timeoutMs: 60_000 });
    const address = URL.createObjectURL(await response.blob());
    el('a', { href: address, download: `${path.replaceAll('/', '-')}.csv` }).click();
    setTimeout(() => URL.revokeObjectURL(address), 1000);
  } catch (caught) {
    toast(say(caught), 'warn');
  }
}
