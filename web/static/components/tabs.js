import { el, uniqueId } from '../lib/dom.js';

/**
 * tabs(label, [{ name, text, panel }]) by the ARIA pattern: arrows move, the panel follows at once.
 * Returns { node, show(name), current(), mark(name, text) }; `mark` sets the small count beside a tab's text.
 */
export function tabs(label, entries, { vertical = false, changed = null } = {}) {
  const list = el('div', { class: 'tablist', role: 'tablist', 'aria-label': label,
    'aria-orientation': vertical ? 'vertical' : 'horizontal' });
  const byName = new Map();
  for (const { name, text, panel } of entries) {
    const id = uniqueId('tab');
    const extra = el('span', { class: 'tab-count' });
    const tab = el('button', { class: 'tab', type: 'button', role: 'tab', id, testid: `tab-${name}`, 'aria-controls': `${id}-panel` }, text, extra);
    tab.addEventListener('click', () => show(name));
    panel.setAttribute('role', 'tabpanel');
    panel.setAttribute('id', `${id}-panel`);
    panel.setAttribute('aria-labelledby', id);
    panel.classList.add('tabpanel');
    list.append(tab);
    byName.set(name, { tab, panel, extra });
  }

  let shown = entries[0].name;

  function select(name) {
    shown = name;
    for (const [key, { tab, panel }] of byName) {
      tab.setAttribute('aria-selected', String(key === name));
      tab.tabIndex = key === name ? 0 : -1;
      panel.hidden = key !== name;
    }
  }

  function show(name) {
    select(name);
    changed?.(name);
  }

  list.addEventListener('keydown', (event) => {
    const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const names = [...byName.keys()];
    const now = names.findIndex((name) => byName.get(name).tab === document.activeElement);
    const next = names[(now + step + names.length) % names.length];
    show(next);
    byName.get(next).tab.focus();
    event.preventDefault();
  });

  select(shown);
  const node = el('div', { class: vertical ? 'tabs vertical' : 'tabs' }, list, entries.map(({ panel }) => panel));
  return { node, show, current: () => shown, mark: (name, text) => { byName.get(name).extra.textContent = text; } };
}
