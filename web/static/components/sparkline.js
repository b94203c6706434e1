/** The last minute of one class's risk as a small line, one point a second. */
import { percent } from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { categoryName } from './category.js';

const SVG = 'http://www.w3.org/2000/svg';
const SECONDS = 60;
const HEIGHT = 24;
const WIDTH = 96;
/** Screening may look once in two seconds: a hole as short as that is drawn over. */
const BRIDGED = 3;
const STEP = WIDTH / (SECONDS - 1);

/** The strongest category of one point: [name, score]; a point without any is ['', 0]. */
export function strongest(point) {
  return Object.entries(point ?? {}).reduce((best, one) => (one[1] > best[1] ? one : best), ['', 0]);
}

/** Of a list of points the highest and the newest: { highest, category, now } (scores 0-1, null without a look). */
export function summary(points) {
  let best = ['', -1];
  for (const point of points) {
    if (point && strongest(point)[1] > best[1]) best = strongest(point);
  }
  const last = points.findLast((point) => point !== null);
  return { highest: best[1] < 0 ? null : best[1], category: best[0], now: last ? strongest(last)[1] : null };
}

/** { node, set(points) }: `points` as the wall has them, the newest last. */
export function sparkline() {
  const node = svg('svg', { class: 'sparkline', viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img' });
  const half = svg('path', { class: 'sparkline-half', d: `M0 ${HEIGHT / 2}H${WIDTH}` });
  const line = svg('path', { class: 'sparkline-line' });
  node.append(half, line);

  function set(points) {
    line.setAttribute('d', path(points));
    const { highest, category, now } = summary(points);
    const text = highest === null ? t('risk.none')
      : t(category ? 'risk.label' : 'risk.nothing', { now: percent(now), highest: percent(highest), category: categoryName(category) });
    if (node.getAttribute('aria-label') !== text) node.setAttribute('aria-label', text);
  }

  set([]);
  return { node, set };
}

/** Lines between looks; where nobody looked for longer, a gap. */
function path(points) {
  const first = SECONDS - points.length;
  let from = -Infinity;
  let drawn = '';
  points.forEach((point, i) => {
    if (point === null) return;
    const x = ((first + i) * STEP).toFixed(1);
    const y = (HEIGHT - 1 - strongest(point)[1] * (HEIGHT - 2)).toFixed(1);
    // A point alone is a short stroke, or it would not be seen.
    drawn += i - from <= BRIDGED ? `L${x} ${y}` : `M${x} ${y}h0.5`;
    from = i;
  });
  return drawn;
}

function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
