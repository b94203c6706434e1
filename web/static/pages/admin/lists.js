/** The operator's own lists of words: uploaded with a look at what would change, in versions, rolled back. */
import { button } from '../../components/button.js';
import { copyButton } from '../../components/copy.js';
import { ask, tell } from '../../components/dialog.js';
import { field } from '../../components/field.js';
import { table } from '../../components/table.js';
import { toast } from '../../components/toast.js';
import { get, post } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { listPreview, tryList } from './list-preview.js';

const NAMES = { sensitive: ['lists.sensitive', 'lists.sensitive_text'], house: ['lists.house', 'lists.house_text'], whitelist: ['lists.whitelist', 'lists.whitelist_text'] };
const MOST_BYTES = 1_048_576;

const nameOf = (name) => (name in NAMES ? t(NAMES[name][0]) : name);
const pathOf = (name) => `/lexicons/${encodeURIComponent(name)}`;

export function listsPanel() {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const list = table({
    caption: t('lists.title'), empty: t('lists.empty'), file: 'lists',
    columns: [
      { text: t('lists.name'), value: ({ name }) => nameOf(name), cell: ({ name }) => el('div', {}, el('strong', {}, nameOf(name)), el('p', { class: 'hint' }, name in NAMES ? t(NAMES[name][1]) : '')) },
      { text: t('lists.entries'), value: ({ entries }) => entries, cell: ({ entries }) => format.count(entries), numeric: true },
      { text: t('lists.version'), value: ({ version }) => version, numeric: true },
      { text: t('lists.changed'), value: ({ at, version }) => (version ? at : ''), cell: ({ at, version }) => format.dateTime(version ? at : null), tight: true },
      { text: t('lists.by'), value: ({ by }) => by || '–' },
      { text: t('table.actions'), value: () => '', plain: true, cell: actions },
    ],
  });
  const node = el('div', { class: 'lists' }, el('p', { class: 'hint' }, t('lists.text')), problem, list.node);

  async function refresh() {
    try {
      list.set((await get('/lexicons')).items);
      setText(problem, '');
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  function actions({ name, version }) {
    return el('div', { class: 'row' },
      button(t('lists.upload'), { kind: 'quiet', symbol: 'upload', testid: `upload-${name}`, 'aria-label': t('lists.upload_of', { name: nameOf(name) }), press: () => upload(name) }),
      button(t('lists.save'), { kind: 'quiet', symbol: 'download', disabled: version === 0, 'aria-label': t('lists.save_of', { name: nameOf(name) }), press: () => save(name) }),
      button(t('lists.versions'), { kind: 'quiet', symbol: 'list', disabled: version === 0, 'aria-label': t('lists.versions_of', { name: nameOf(name) }), press: () => versions(name) }));
  }

  /** `text`: what was tried before and was wrong, to be put right. */
  async function upload(name, text = '') {
    const file = el('input', { type: 'file', class: 'input', accept: '.tsv,.csv,.txt,text/tab-separated-values,text/csv,text/plain' });
    const rows = el('textarea', { class: 'input mono', rows: 8, spellcheck: 'false', value: text });
    file.addEventListener('change', async () => { if (file.files[0]) rows.value = await file.files[0].text(); });
    const chosen = await ask({
      title: t('lists.upload_title', { name: nameOf(name) }), label: t('lists.try'), testid: 'list-try', explain, focus: text ? rows : file, wide: true,
      body: [el('p', { class: 'hint' }, t(name === 'whitelist' ? 'lists.format_white' : 'lists.format')), field(t('lists.file'), file, t('lists.file_hint', { size: format.size(MOST_BYTES) })).node,
        field(t('lists.rows'), rows).node],
      confirm: async () => {
        const csv = /\.csv$/i.test(file.files[0]?.name ?? '');
        return { text: rows.value, csv, found: await tryList(pathOf(name), rows.value, { csv, dryRun: true }) };
      },
    });
    if (chosen) await confirmUpload(name, chosen);
  }

  async function confirmUpload(name, { text, csv, found }) {
    const wrong = found.errors.length > 0;
    const title = t('lists.preview_title', { name: nameOf(name) });
    if (wrong) {
      await tell({ title, body: listPreview(found), wide: true });
      await upload(name, text);
      return;
    }
    const taken = await ask({ title, label: t('lists.take'), testid: 'list-take', explain, body: listPreview(found), wide: true,
      confirm: () => tryList(pathOf(name), text, { csv, dryRun: false }) });
    if (!taken) return;
    toast(t('lists.taken', { name: nameOf(name), n: taken.version }));
    await refresh();
  }

  async function save(name) {
    try {
      const { text, version } = await get(pathOf(name));
      const address = URL.createObjectURL(new Blob([text], { type: 'text/tab-separated-values' }));
      el('a', { href: address, download: `${name}-${version}.tsv` }).click();
      setTimeout(() => URL.revokeObjectURL(address), 1000);
    } catch (caught) {
      toast(explain(caught), 'warn');
    }
  }

  async function versions(name) {
    try {
      const { versions: all, version: now } = await get(pathOf(name));
      await tell({ title: t('lists.versions_of', { name: nameOf(name) }), wide: true,
        body: [el('ol', { class: 'version-list' }, all.map((one) => versionRow(name, one, now)))] });
    } catch (caught) {
      toast(explain(caught), 'warn');
    }
  }

  function versionRow(name, { version, entries, sha256, at, by }, now) {
    return el('li', {}, el('strong', {}, t('lists.version_n', { n: version })), el('span', {}, t('lists.entries_n', { n: format.count(entries) })),
      el('span', { class: 'figure' }, format.dateTime(at)), el('span', {}, by),
      el('span', { class: 'hash-cell' }, el('span', { class: 'hash' }, `${sha256.slice(0, 12)}…`), copyButton(sha256, 'SHA-256')),
      version === now ? el('span', { class: 'hint' }, t('lists.in_use'))
        : button(t('lists.roll_back'), { symbol: 'restore', 'aria-label': t('lists.roll_back_to', { n: version }), press: () => rollBack(name, version) }));
  }

  async function rollBack(name, version) {
    try {
      const made = await post(`${pathOf(name)}/rollback`, { version });
      document.querySelector('dialog[open]')?.close();
      toast(t('lists.rolled_back', { name: nameOf(name), old: version, n: made.version }));
      await refresh();
    } catch (caught) {
      toast(explain(caught), 'warn');
    }
  }

  return { node, refresh };
}
