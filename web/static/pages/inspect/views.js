/** What this inspector has looked at: each look is a fact in the ledger, so inspectors are seen as well. */
import './texts.js';
import { button } from '../../components/button.js';
import { table } from '../../components/table.js';
import { getAll } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';

const WHAT = {
  attendance: 'inspect.saw_attendance',
  hours: 'inspect.saw_hours',
  checks: 'inspect.saw_checks',
  recording: 'inspect.saw_recording',
  live: 'inspect.saw_live',
  evidence: 'inspect.saw_evidence',
  entries: 'inspect.saw_entries',
  proof: 'inspect.saw_proof',
};
const named = (what) => (WHAT[what] ? t(WHAT[what]) : what);

export function viewsSection() {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const list = table({
    caption: t('inspect.views'), empty: t('inspect.no_views'), file: 'views',
    columns: [
      { text: t('inspect.viewed_at'), value: ({ at }) => at, cell: ({ at }) => format.dateTime(at), tight: true },
      { text: t('inspect.viewed'), value: ({ what }) => named(what) },
      { text: t('lessons.title'), value: (row) => row.title || row.lesson || '–' },
      { text: t('inspect.subject'), value: (row) => row.subject || '–' },
    ],
  });
  const node = el('section', {}, el('div', { class: 'section-head' }, el('h2', {}, t('inspect.views')),
    button(t('action.refresh'), { symbol: 'restore', press: () => refresh() })), el('p', { class: 'hint' }, t('inspect.views_text')), problem, list.node);

  async function refresh() {
    try {
      list.set(await getAll('/inspections/views?limit=200'));
      setText(problem, '');
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  return { node, refresh };
}
