import { get } from '../lib/api.js';
import { el } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';
import { button } from './button.js';
import { copyButton } from './copy.js';

/** The ledger's head: how many entries, and the root that stands for all of them. */
export function ledgerCard() {
  const facts = el('div', { role: 'status' });
  const node = el('section', { class: 'panel card' }, el('h2', {}, t('ledger.title')), el('p', { class: 'hint' }, t('ledger.text')),
    facts, button(t('action.refresh'), { symbol: 'restore', press: () => refresh() }));

  async function refresh() {
    try {
      const { size, root } = await get('/ledger/head');
      facts.replaceChildren(el('dl', { class: 'about' },
        el('dt', {}, t('ledger.size')), el('dd', { class: 'figure' }, format.count(size)),
        el('dt', {}, t('ledger.root')), el('dd', { class: 'hash' }, root ?? '–', ' ', root && copyButton(root, t('ledger.root'))),
        el('dt', {}, t('ledger.read_at')), el('dd', { class: 'figure' }, format.clockExact(Date.now()))));
    } catch (problem) {
      facts.replaceChildren(el('p', { class: 'problem' }, explain(problem)));
    }
  }

  return { node, refresh };
}
