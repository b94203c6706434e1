/** What proves itself in this page: a whole bundle, a single record, the ledger's head. */
import './texts.js';
import { ledgerCard } from '../../components/ledger.js';
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { bundleCard } from './bundle.js';
import { recordCard } from './record.js';

export function proofsSection() {
  const ledger = ledgerCard();
  const node = el('section', { class: 'stacked' }, el('h2', {}, t('inspect.proofs')),
    el('div', { class: 'pair' }, bundleCard().node, el('div', { class: 'stacked' }, recordCard().node, ledger.node)));
  return { node, refresh: ledger.refresh };
}
