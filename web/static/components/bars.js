import { el } from '../lib/dom.js';

/**
 * Horizontal bars of one or more parts. set([{ name, text, parts: [{ value, tone, name }] }], most): tones
 * 'good' | 'bad' | 'open' | 'plain' have patterns as well as colours, and `text` says the figures.
 */
export function barChart({ label, empty }) {
  const list = el('ul', { class: 'bars', 'aria-label': label });
  const none = el('p', { class: 'hint' }, empty);
  const node = el('figure', { class: 'chart' }, el('figcaption', { class: 'chart-title' }, label), none, list);

  function set(rows, most = Math.max(1, ...rows.map(({ parts }) => parts.reduce((all, { value }) => all + value, 0)))) {
    none.hidden = rows.length > 0;
    list.replaceChildren(...rows.map(({ name, text, parts }) => el('li', {}, el('span', { class: 'bar-name' }, name),
      el('span', { class: 'bar', 'aria-hidden': 'true' }, parts.map((part) => bar(part, most))), el('span', { class: 'bar-text figure' }, text))));
  }

  return { node, set };
}

function bar({ value, tone = 'plain', name = '' }, most) {
  const node = el('span', { class: `bar-part ${tone}`, title: name });
  node.style.width = `${(100 * value) / most}%`;
  return node;
}
