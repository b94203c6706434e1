/** Every recording with its hash, and a check of a file that trusts nothing but arithmetic. */
import { button } from '../../components/button.js';
import { recordingsSection } from '../../components/recordings-table.js';
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { verifyCard } from './verify.js';

export function recordingsPanel() {
  const verify = verifyCard();
  const list = recordingsSection({ loaded: verify.know, more: (row) => [compareButton(row, verify)] });
  const node = el('div', { class: 'stacked' }, el('p', { class: 'lead' }, t('inspect.text')), list.node, verify.node);
  return { node, refresh: list.refresh };
}

function compareButton(row, verify) {
  return button(t('verify.choose'), { kind: 'quiet', symbol: 'ok', disabled: !row.sha256,
    'aria-label': t('verify.choose_of', { name: row.title || row.lesson }), press: () => verify.against(row) });
}
