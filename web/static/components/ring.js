/** Time left, as a ring for the eye and a number for everybody. */
import { el, setText } from '../lib/dom.js';

const SVG = 'http://www.w3.org/2000/svg';
const SCARCE_S = 10;

/** set(left, whole) in ms; `words(n)` is what the number is called. */
export function ring(words) {
  const track = circle('ring-track');
  const left = circle('ring-left');
  const drawing = document.createElementNS(SVG, 'svg');
  drawing.setAttribute('viewBox', '0 0 44 44');
  drawing.setAttribute('aria-hidden', 'true');
  drawing.append(track, left);
  const number = el('span', { class: 'ring-number', 'aria-hidden': 'true' });
  const said = el('span', { class: 'unseen' });
  const node = el('div', { class: 'ring', role: 'timer', testid: 'challenge-left' }, drawing, number, said);

  function set(leftMs, wholeMs) {
    const seconds = Math.max(0, Math.ceil(leftMs / 1000));
    setText(number, String(seconds));
    setText(said, words(seconds));
    left.setAttribute('stroke-dashoffset', String(100 - Math.max(0, Math.min(100, (100 * leftMs) / wholeMs))));
    node.classList.toggle('scarce', seconds <= SCARCE_S);
    return seconds;
  }

  return { node, set };
}

function circle(name) {
  const node = document.createElementNS(SVG, 'circle');
  for (const [key, value] of Object.entries({ class: name, cx: 22, cy: 22, r: 19, pathLength: 100 })) node.setAttribute(key, value);
  return node;
}
