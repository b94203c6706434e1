/** Charts as drawings with their figures beside them: nobody has to see a colour or a curve to know what it says. */
import { el } from '../lib/dom.js';
import { t } from '../lib/i18n.js';

const SVG = 'http://www.w3.org/2000/svg';
const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [640, 220, 44, 26, 10];
const LINES = 6;

/**
 * Lines over time. set({ series: [{ name, points: [[x, y | null], …] }], most, ticks: [[y, text]], from, to, marks: [[x, text]] }):
 * `most` is the top of the scale. Each line has a colour, a dash and a sign of its own.
 */
export function lineChart({ label, empty }) {
  const drawing = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'chart-drawing', role: 'img' });
  const keys = el('ul', { class: 'chart-keys' });
  const none = el('p', { class: 'hint' }, empty);
  const body = el('tbody');
  const head = el('tr');
  const figures = el('details', { class: 'chart-figures' }, el('summary', {}, t('chart.figures')),
    el('div', { class: 'chart-table', tabindex: '0', role: 'region', 'aria-label': label }, el('table', { class: 'plain' }, el('caption', { class: 'unseen' }, label), el('thead', {}, head), body)));
  const node = el('figure', { class: 'chart' }, el('figcaption', { class: 'chart-title' }, label), none, drawing, keys, figures);

  function set({ series, most, ticks, from, to, marks = [], text = String, when = String }) {
    const kept = series.slice(0, LINES);
    const isEmpty = kept.every(({ points }) => !points.length);
    none.hidden = !isEmpty;
    for (const part of [drawing, keys, figures]) part.toggleAttribute('hidden', isEmpty);
    if (isEmpty) return;
    const x = (value) => LEFT + ((value - from) / Math.max(1e-9, to - from)) * (WIDTH - LEFT - 8);
    const y = (value) => HEIGHT - BOTTOM - (Math.min(value, most) / most) * (HEIGHT - BOTTOM - TOP);
    drawing.replaceChildren(...ticks.flatMap(([value, words]) => tick(y(value), words)),
      ...marks.flatMap(([at, words]) => mark(x(at), words)),
      ...kept.map(({ points }, i) => svg('path', { class: `chart-line line-${i}`, d: path(points, x, y) })),
      svgText(LEFT, HEIGHT - 6, 'start', when(from)), svgText(WIDTH - 8, HEIGHT - 6, 'end', when(to)));
    drawing.setAttribute('aria-label', [label, ...kept.map((one) => said(one, text))].join('. '));
    keys.replaceChildren(...kept.map((one, i) => el('li', {}, key(i), said(one, text))));
    if (figures.open) fill(kept, text, when);
    figures.ontoggle = () => figures.open && fill(kept, text, when);
  }

  function fill(series, text, when) {
    const times = [...new Set(series.flatMap(({ points }) => points.map(([at]) => at)))].sort((a, b) => b - a);
    const values = series.map(({ points }) => new Map(points));
    head.replaceChildren(el('th', { scope: 'col' }, t('chart.when')), ...series.map(({ name }) => el('th', { scope: 'col' }, name)));
    body.replaceChildren(...times.map((at) => el('tr', {}, el('th', { scope: 'row' }, when(at)),
      ...values.map((map) => el('td', { class: 'numeric' }, shown(map.get(at), text))))));
  }

  return { node, set };
}

function tick(at, words) {
  return [svg('path', { class: 'chart-grid', d: `M${LEFT} ${at}H${WIDTH - 8}` }), svgText(LEFT - 6, at + 4, 'end', words)];
}

function mark(at, words) {
  const line = svg('path', { class: 'chart-mark', d: `M${at} ${TOP}V${HEIGHT - BOTTOM}` });
  const title = svg('title');
  title.textContent = words;
  line.append(title);
  return [line];
}

function key(i) {
  const node = svg('svg', { viewBox: '0 0 28 8', class: 'chart-key', 'aria-hidden': 'true' });
  node.append(svg('path', { class: `chart-line line-${i}`, d: 'M1 4H27' }));
  return node;
}

function path(points, x, y) {
  let pen = 'M';
  return points.map(([at, value]) => {
    if (value === null) {
      pen = 'M';
      return '';
    }
    const step = `${pen}${x(at).toFixed(1)} ${y(value).toFixed(1)}${pen === 'M' ? 'h0.5' : ''}`;
    pen = 'L';
    return step;
  }).join('');
}

const shown = (value, text) => (value === null || value === undefined ? '–' : text(value));

function said({ name, points }, text) {
  const values = points.map(([, value]) => value).filter((value) => value !== null);
  return values.length ? t('chart.said', { name, now: text(values.at(-1)), most: text(Math.max(...values)) }) : name;
}

function svgText(x, y, anchor, words) {
  const node = svg('text', { x, y, 'text-anchor': anchor, class: 'chart-text' });
  node.textContent = words;
  return node;
}

function svg(tag, attributes = {}) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
