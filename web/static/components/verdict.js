/** A green, red or amber answer with the facts it rests on. */
import { el } from '../lib/dom.js';
import { icon } from './icon.js';

const HASH = /^[0-9a-f]{64}$/;
const SIGNS = { good: 'ok', bad: 'close', unsure: 'warn' };

/** { node, say(tone, text, rows, more), clear() }; rows: [[name, value], …], `more`: nodes below. */
export function verdict(testid) {
  const node = el('div', { class: 'verdict', role: 'status', 'aria-live': 'polite', testid });

  function say(tone, text, rows = [], more = []) {
    node.className = `verdict ${tone}`;
    node.replaceChildren(el('p', { class: 'verdict-line' }, icon(SIGNS[tone]), text), ...more,
      el('dl', { class: 'about' }, rows.flatMap(([name, value]) => [el('dt', {}, name), el('dd', { class: HASH.test(value) && 'hash' }, value)])));
  }

  return { node, say, clear: () => node.replaceChildren() };
}
