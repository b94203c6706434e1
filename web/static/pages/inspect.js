/** The inspector's page: every recording with its hash, and a check that trusts nothing but arithmetic. */
import { button } from '../components/button.js';
import { attendanceSection } from '../components/attendance.js';
import { ledgerCard } from '../components/ledger.js';
import { recordingsSection } from '../components/recordings-table.js';
import { topbar } from '../components/topbar.js';
import { el, mount } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { verifyCard } from './inspect/verify.js';

const bar = topbar(t('inspect.title'));
const verify = verifyCard();
const ledger = ledgerCard();
const attendance = attendanceSection();
const recordings = recordingsSection({ loaded: verify.know, more: (row) => [compareButton(row)] });

function compareButton(row) {
  return button(t('verify.choose'), { kind: 'quiet', symbol: 'ok', disabled: !row.sha256,
    'aria-label': t('verify.choose_of', { name: row.title || row.lesson }), press: () => verify.against(row) });
}

mount(bar.node, el('main', { class: 'inspect', tabindex: '-1' },
  el('p', { class: 'lead' }, t('inspect.text')), recordings.node, attendance.node, el('div', { class: 'pair' }, verify.node, ledger.node)));
attendance.refresh();
recordings.refresh();
ledger.refresh();
// Drawn: for tests and for support.
document.documentElement.dataset.page = 'inspect';
