import { el, setText } from '../lib/dom.js';

/**
 * What happened, the newest first, as a list that opens in place. Each entry has an `id`;
 * draw(entry) → { time, tone, head, aside } (texts or nodes), open(entry) → a node or a promise of one,
 * keys: { a: (entry) => … } act on the entry that has the focus. Arrows move, Enter opens and closes.
 * Returns { node, set(entries), focus(id?), current() }.
 */
export function timeline({ label, empty, draw, open, keys = {}, focused = null }) {
  const none = el('p', { class: 'timeline-empty' }, empty);
  const list = el('ol', { class: 'timeline', 'aria-label': label, on: { keydown: pressed } });
  const node = el('div', { class: 'timeline-box' }, none, list);
  const rows = new Map();
  let entries = [];

  function set(next) {
    entries = next;
    const kept = new Set(next.map(({ id }) => id));
    const lost = [...rows.keys()].filter((id) => !kept.has(id));
    const place = lost.some((id) => rows.get(id).node.contains(document.activeElement)) ? indexOf(document.activeElement) : -1;
    for (const id of lost) {
      rows.get(id).node.remove();
      rows.delete(id);
    }
    next.forEach((entry, i) => put(entry, i));
    none.hidden = next.length > 0;
    if (place >= 0) focusAt(Math.min(place, next.length - 1));
  }

  function put(entry, i) {
    const row = rows.get(entry.id) ?? make(entry);
    row.entry = entry;
    const key = JSON.stringify(entry);
    if (row.key !== key) {
      row.key = key;
      const { time, tone, head, aside } = draw(entry);
      row.node.dataset.tone = tone;
      setText(row.time, time);
      row.head.replaceChildren(...[head].flat());
      row.aside.replaceChildren(...[aside].flat().filter(Boolean));
      if (!row.box.hidden) fill(row);
    }
    if (list.children[i] !== row.node) list.insertBefore(row.node, list.children[i] ?? null);
  }

  function make(entry) {
    const time = el('time');
    const head = el('span', { class: 'timeline-head' });
    const aside = el('span', { class: 'timeline-aside' });
    const press = el('button', { type: 'button', class: 'timeline-press', 'aria-expanded': 'false' }, time, head, aside);
    const box = el('div', { class: 'timeline-detail', hidden: true });
    const row = { entry, key: '', time, head, aside, press, box, node: el('li', { class: 'timeline-entry', 'data-entry': entry.id }, press, box) };
    press.addEventListener('click', () => toggle(row));
    row.node.addEventListener('focusin', () => focused?.(row.entry));
    rows.set(entry.id, row);
    return row;
  }

  function toggle(row) {
    row.box.hidden = !row.box.hidden;
    row.press.setAttribute('aria-expanded', String(!row.box.hidden));
    if (row.box.hidden) row.box.replaceChildren();
    else fill(row);
  }

  async function fill(row) {
    const shown = await open(row.entry);
    if (!row.box.hidden) row.box.replaceChildren(shown);
  }

  const indexOf = (target) => entries.findIndex(({ id }) => rows.get(id)?.node.contains(target));

  function focusAt(i) {
    rows.get(entries[i]?.id)?.press.focus();
  }

  function pressed(event) {
    if (event.target.closest('input, textarea, select') || event.ctrlKey || event.metaKey || event.altKey) return;
    const at = indexOf(event.target);
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const act = keys[event.key.toLowerCase()];
    if (step) focusAt(Math.min(entries.length - 1, Math.max(0, at + step)));
    else if (act && at >= 0) act(entries[at]);
    else return;
    event.preventDefault();
  }

  /** The entry `id`, opened; without one the first, as it is. */
  function focus(id = null) {
    const row = rows.get(id ?? entries[0]?.id);
    row?.press.focus();
    if (id && row?.box.hidden) toggle(row);
  }

  set([]);
  return { node, set, focus };
}
