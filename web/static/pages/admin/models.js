/** The models of screening: what each is for, which bytes it is, whether they are there. */
import { badge } from '../../components/badge.js';
import { copyButton } from '../../components/copy.js';
import { table } from '../../components/table.js';
import { get } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';

const STATES = { present: ['models.present', 'ok'], missing: ['models.missing', 'danger'], damaged: ['models.damaged', 'danger'] };
const KINDS = {
  frame: 'models.frame', 'text-detect': 'models.text_detect', 'text-read': 'models.text_read', chat: 'models.chat', speech: 'models.speech',
  'face-detect': 'models.face_detect', 'face-match': 'models.face_match',
};

export function modelsPanel() {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const lack = el('p', { class: 'hint', role: 'status' });
  const list = table({
    caption: t('models.title'), empty: t('models.empty'), file: 'models',
    columns: [
      { text: t('models.name'), value: ({ name }) => name, cell: named },
      { text: t('models.for'), value: ({ kind }) => (kind in KINDS ? t(KINDS[kind]) : kind) },
      { text: t('models.state'), value: ({ state }) => state, cell: ({ state }) => badge(t(STATES[state]?.[0] ?? 'models.missing'), STATES[state]?.[1] ?? 'danger') },
      { text: t('models.version'), value: ({ version }) => version },
      { text: 'SHA-256', value: ({ sha256 }) => sha256, cell: ({ sha256, name }) => el('div', { class: 'hash-cell' }, el('span', { class: 'hash', title: sha256 }, `${sha256.slice(0, 8)}…${sha256.slice(-8)}`), copyButton(sha256, `SHA-256 ${name}`)) },
      { text: t('models.size'), value: ({ size }) => size, cell: ({ size }) => format.size(size), numeric: true },
      { text: t('models.licence'), value: ({ licence }) => licence },
    ],
  });
  const node = el('div', {}, el('p', { class: 'hint' }, t('models.text')), lack, problem, list.node);

  async function refresh() {
    try {
      const { items } = await get('/screening/models');
      const missing = items.filter(({ state }) => state !== 'present');
      setText(lack, missing.length ? t('models.lack', { names: format.list(missing.map(({ name }) => name)) }) : t('models.complete'));
      lack.classList.toggle('warn-text', missing.length > 0);
      list.set(items);
      setText(problem, '');
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  return { node, refresh };
}

/** Its card's own words; they are in English, as the cards are. */
function named({ name, author, used_for: use, limits }) {
  return el('details', { class: 'model' }, el('summary', {}, name), el('div', { lang: 'en' }, el('p', {}, use), author && el('p', { class: 'hint' }, author), limits && el('p', { class: 'hint' }, limits)));
}
