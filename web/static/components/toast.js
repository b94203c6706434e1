import { el } from '../lib/dom.js';

const STAY_MS = 6000;
const MOST = 3;
const region = el('div', { class: 'toasts', role: 'status', 'aria-live': 'polite' });

/** A short word in passing, read out once; tone 'plain' | 'warn'. */
export function toast(text, tone = 'plain') {
  if (!region.isConnected) document.body.append(region);
  const node = el('p', { class: `toast ${tone}` }, text);
  region.append(node);
  while (region.children.length > MOST) region.firstChild.remove();
  setTimeout(() => node.remove(), STAY_MS);
}
