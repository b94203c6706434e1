/** How often screening was right, by what people decided; how long nobody could look; how fast people were. */
import { categoryName, kindName } from '../../components/category.js';
import { barChart } from '../../components/bars.js';
import { field, select } from '../../components/field.js';
import { get } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';

const DAYS = [7, 30, 90, 365];

export function precisionPanel() {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const days = select(DAYS.map((n) => [String(n), t('precision.days', { n })]), { on: { change: refresh } });
  days.value = '30';
  const chart = barChart({ label: t('precision.chart'), empty: t('precision.empty') });
  const facts = el('dl', { class: 'about' });
  const key = el('ul', { class: 'chart-keys' }, [['good', 'precision.right'], ['bad', 'precision.false'], ['open', 'precision.open']]
    .map(([tone, text]) => el('li', {}, el('span', { class: `bar-part key ${tone}`, 'aria-hidden': 'true' }), t(text))));
  const node = el('div', { class: 'precision' }, el('p', { class: 'hint' }, t('precision.text')), problem, field(t('precision.since'), days).node,
    chart.node, key, facts);

  async function refresh() {
    try {
      show(await get(`/screening/statistics?days=${days.value}`));
      setText(problem, '');
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  function show({ items, blind_s: blind, blind_spells: spells, median_decision_s: median }) {
    chart.set(items.filter(({ kind }) => kind !== 'blind').map(row));
    facts.replaceChildren(el('dt', {}, t('precision.blind')), el('dd', {}, t('precision.blind_for', { time: format.elapsed(blind * 1000), n: format.count(spells) })),
      el('dt', {}, t('precision.decision')), el('dd', {}, median === null ? t('precision.nobody') : t('precision.seconds', { n: format.seconds(median * 1000) })));
  }

  return { node, refresh };
}

function row({ kind, category, open, confirmed, dismissed, precision }) {
  const figures = { right: format.count(confirmed), wrong: format.count(dismissed), open: format.count(open) };
  return {
    name: `${categoryName(category)} · ${kindName(kind)}`,
    text: precision === null ? t('precision.undecided', figures) : t('precision.figures', { precision: format.percent(precision), ...figures }),
    parts: [{ value: confirmed, tone: 'good', name: t('precision.right') }, { value: dismissed, tone: 'bad', name: t('precision.false') }, { value: open, tone: 'open', name: t('precision.open') }],
  };
}
