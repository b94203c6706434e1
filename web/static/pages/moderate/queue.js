/** What waits for a person over all classes: open incidents, appeals, and what was decided lately. */
import { button } from '../../components/button.js';
import { select } from '../../components/field.js';
import { get } from '../../lib/api.js';
import { el, setText, uniqueId } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { asMessage, incidentList } from './incidents.js';

const FILTERS = [
  ['state=open', 'queue.open'], ['appealed=true', 'queue.appealed'], ['state=confirmed', 'queue.confirmed'],
  ['state=dismissed', 'queue.dismissed'],
];
const LIMIT = 50;
const SOON_MS = 300;

export function incidentQueue(wall) {
  const list = incidentList({ label: t('queue.title'), empty: t('queue.empty'), withClass: true, changed: () => refresh(),
    focused: ({ lesson }) => wall.lessons.has(lesson) && wall.selected !== lesson && wall.select(lesson) });
  const id = uniqueId('queue');
  const filter = select(FILTERS.map(([value, key]) => [value, t(key)]), { id, on: { change: refresh } });
  const problem = el('p', { class: 'problem', role: 'alert' });
  const more = button(t('queue.more'), { hidden: true, press: () => read(after) });
  const node = el('div', { class: 'queue' },
    el('div', { class: 'wall-tools' }, el('label', { class: 'check', for: id }, t('queue.show'), filter),
      el('p', { class: 'hint keys' }, t('queue.keys'))), problem, list.node, more);
  let items = [];
  let after = null;
  let known = '';
  let timer = 0;

  async function refresh() {
    await read(null);
  }

  async function read(from) {
    const start = from === null ? '' : `&after=${encodeURIComponent(from)}`;
    const asked = filter.value;
    try {
      const page = await get(`/incidents?${asked}&limit=${LIMIT}${start}`);
      if (asked !== filter.value) return;
      items = [...(from === null ? [] : items), ...page.items.map(asMessage)];
      after = page.next;
      more.hidden = after === null;
      list.set(items);
      setText(problem, '');
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  /** The wall tells how many are open and what the newest is: when that changes, the queue is read again. */
  function render() {
    const key = JSON.stringify([...wall.lessons.values()].map(({ open, hit }) => [open, hit?.id, hit?.state, hit?.count, hit?.appealed]));
    if (key === known) return;
    known = key;
    clearTimeout(timer);
    if (node.closest('[hidden]') === null) timer = setTimeout(refresh, SOON_MS);
  }

  return { node, render, refresh };
}
