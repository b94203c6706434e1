/** The scores of the opened class over the last minute, a line for each category, a mark where something was found. */
import { categoryName, subject } from '../../components/category.js';
import { lineChart } from '../../components/chart.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';

const SECONDS = 60;
const TICKS = [[0, '0%'], [0.5, '50%'], [1, '100%']];

export function scoreChart() {
  const chart = lineChart({ label: t('scores.label'), empty: t('risk.none') });

  /** `points` as the wall has them, the newest last; `incidents` as control messages. */
  function set(points, incidents) {
    const first = 1 - points.length;
    const names = [...new Set(points.flatMap((point) => Object.keys(point ?? {})))].sort();
    const looked = points.some((point) => point !== null);
    // Where nobody looked there is no line; where a look found nothing the line is at the bottom.
    const lines = names.length || !looked ? names : [''];
    const series = lines.map((name) => ({
      name: name ? categoryName(name) : t('scores.nothing'),
      points: points.map((point, i) => [first + i, point && (point[name] ?? 0)]).filter(([, value], i) => value !== null || points[i - 1] === null),
    }));
    const marks = incidents.map((one) => [(one.at_ms - Date.now()) / 1000, `${subject(one)} ${format.clockExact(one.at_ms)}`])
      .filter(([at]) => at > -SECONDS && at <= 0);
    chart.set({ series, most: 1, ticks: TICKS, from: 1 - SECONDS, to: 0, marks, text: format.percent, when: (s) => (s === 0 ? t('scores.now') : t('scores.ago', { n: Math.abs(s) })) });
  }

  return { node: chart.node, set };
}
