/** Hours by days, weeks and months, as three charts in tabs: { node, set(statistics) }. */
import './hours-texts.js';
import { barChart } from './bars.js';
import { tabs } from './tabs.js';
import { el } from '../lib/dom.js';
import { length } from '../lib/hours.js';
import { t } from '../lib/i18n.js';

const STEPS = [['days', 'hours.by_day'], ['weeks', 'hours.by_week'], ['months', 'hours.by_month']];

export function overTime() {
  const charts = STEPS.map(([name, key]) => [name, key, barChart({ label: t(key), empty: t('hours.nothing') })]);
  const { node } = tabs(t('hours.over_time'), charts.map(([name, key, chart]) => ({ name, text: t(key), panel: el('div', {}, chart.node) })));

  function set(statistics) {
    for (const [name, , chart] of charts) chart.set(statistics[name].filter((step) => name !== 'days' || step.seconds).map(step));
  }

  return { node, set };
}

function step({ name, seconds, change_s: change }) {
  const sign = change < 0 ? '−' : '+';
  return { name, text: t('hours.step', { length: length(seconds), change: change ? `${sign}${length(Math.abs(change))}` : '±0' }), parts: [{ value: seconds, tone: 'plain' }] };
}
