import { el, setText } from '../lib/dom.js';
import { icon } from './icon.js';

/**
 * kind: 'primary' | 'plain' | 'danger' | 'quiet'; `key` shows the key that does the same; `press` runs once
 * at a time, the button waits with it.
 */
export function button(label, { kind = 'plain', symbol, key, press, testid, type = 'button', ...attributes } = {}) {
  const text = el('span', { class: 'button-text' }, label);
  const node = el('button', { class: `button ${kind}`, type, testid, ...attributes }, symbol && icon(symbol), text,
    key && el('kbd', { class: 'key', 'aria-hidden': 'true' }, key));
  if (press) node.addEventListener('click', () => busyWhile(node, press));
  return node;
}

async function busyWhile(node, press) {
  if (node.getAttribute('aria-busy') === 'true') return;
  node.setAttribute('aria-busy', 'true');
  try {
    await press();
  } finally {
    node.removeAttribute('aria-busy');
  }
}

/** Changes text and icon of a button whose action depends on a state. */
export function relabel(node, label, symbol) {
  setText(node.querySelector('.button-text'), label);
  if (!symbol || node.dataset.symbol === symbol) return;
  node.dataset.symbol = symbol;
  node.querySelector('.icon')?.replaceWith(icon(symbol));
}
