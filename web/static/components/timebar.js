import { el } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { t } from '../lib/i18n.js';

const SVG = 'http://www.w3.org/2000/svg';
const [WIDTH, HEIGHT, STEP] = [1000, 32, 14];

/**
 * A lesson as a bar from left to right: solid what is credited, hatched what is not, empty what was no lesson.
 * { from, to, taught: [{from, to}], voids: [{from, to}] }, all in milliseconds; `said` tells it in words.
 */
export function timebar({ from, to, taught, voids, said }) {
  const x = (at) => (WIDTH * (Math.min(Math.max(at, from), to) - from)) / Math.max(1, to - from);
  const drawing = svg('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'timebar-drawing', preserveAspectRatio: 'none', role: 'img', 'aria-label': said });
  for (const span of taught) drawing.append(box(x(span.from), x(span.to), 'time-credited'));
  for (const span of voids) drawing.append(box(x(span.from), x(span.to), 'time-void'), hatch(x(span.from), x(span.to)));
  return el('div', { class: 'timebar' }, drawing,
    el('p', { class: 'timebar-ends figure' }, el('span', {}, format.clock(from)), el('span', {}, format.clock(to))),
    el('p', { class: 'hint' }, t('hours.legend')));
}

const box = (left, right, kind) => svg('rect', { x: left, y: 0, width: Math.max(2, right - left), height: HEIGHT, class: kind });

/** Slanted lines: seen without colour. */
function hatch(left, right) {
  let d = '';
  for (let at = left; at < right; at += STEP) d += `M${at} ${HEIGHT}L${Math.min(at + STEP, right)} 0`;
  return svg('path', { d, class: 'time-hatch' });
}

function svg(tag, attributes) {
  const node = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  return node;
}
