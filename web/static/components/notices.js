import { el, setText } from '../lib/dom.js';
import { icon } from './icon.js';

/** Standing notices by name: amber for attention, red for a cut. Setting null takes one away. */
export function notices() {
  const shown = new Map();
  const node = el('div', { class: 'notices', role: 'status', 'aria-live': 'polite' });

  function set(name, text, { tone = 'warn', testid, action = null } = {}) {
    const old = shown.get(name);
    if (!text) {
      old?.remove();
      shown.delete(name);
    } else if (old) {
      setText(old.querySelector('.notice-text'), text);
    } else {
      const fresh = el('div', { class: `notice ${tone}`, testid }, icon(tone === 'good' ? 'ok' : 'warn'),
        el('p', { class: 'notice-text' }, text), action);
      shown.set(name, fresh);
      node.append(fresh);
    }
  }

  return { node, set };
}
