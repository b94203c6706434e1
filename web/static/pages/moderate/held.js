/** Chat lines that wait for a person, before everything that was said: one key lets one through or takes it away. */
import { categoryName } from '../../components/category.js';
import { button } from '../../components/button.js';
import { toast } from '../../components/toast.js';
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { decide } from './incidents.js';

/** `changed(n)` hears how many wait. */
export function heldLines(changed) {
  const list = el('ol', { class: 'held-list', testid: 'held', 'aria-label': t('held.title'), on: { keydown: pressed } });
  const head = el('h2', { class: 'held-head' }, t('held.title'));
  const node = el('section', { class: 'held', hidden: true }, head, el('p', { class: 'hint keys' }, t('held.keys')), list);
  const lines = new Map();

  function add(line) {
    if (lines.has(line.id)) return;
    const row = el('li', { class: 'held-line', tabindex: '0', 'data-line': line.id },
      el('p', { class: 'line-head' }, el('span', { class: 'line-name' }, line.from?.name || line.from?.person || ''),
        el('time', {}, format.clock(line.at_ms)), el('span', {}, `${categoryName(line.category)} ${format.percent(line.score)}`)),
      el('p', { class: 'line-text' }, line.text),
      line.why?.length > 0 && el('p', { class: 'hint' }, format.list(line.why)),
      el('div', { class: 'row' },
        button(t('held.release'), { symbol: 'ok', key: 'A', testid: 'held-release', press: () => act(line, 'dismissed') }),
        button(t('held.refuse'), { kind: 'danger', symbol: 'close', key: 'X', testid: 'held-refuse', press: () => act(line, 'confirmed') })));
    lines.set(line.id, { line, row });
    list.append(row);
    tell();
  }

  /** The line was decided, here or by somebody else. */
  function remove(id) {
    const gone = lines.get(id);
    if (!gone) return;
    const next = gone.row.contains(document.activeElement) ? gone.row.nextElementSibling ?? gone.row.previousElementSibling : null;
    gone.row.remove();
    lines.delete(id);
    next?.focus();
    tell();
  }

  function set(all) {
    const kept = new Set(all.map(({ id }) => id));
    for (const id of [...lines.keys()]) if (!kept.has(id)) remove(id);
    all.forEach(add);
    tell();
  }

  function tell() {
    node.hidden = lines.size === 0;
    changed(lines.size);
  }

  async function act(line, outcome) {
    try {
      await decide({ id: line.incident }, outcome);
      remove(line.id);
    } catch (problem) {
      toast(explain(problem), 'warn');
    }
  }

  function pressed(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const row = event.target.closest('.held-line');
    const { line } = lines.get(row?.dataset.line) ?? {};
    const to = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling };
    const key = event.key.toLowerCase();
    if (line && key === 'a') act(line, 'dismissed');
    else if (line && key === 'x') act(line, 'confirmed');
    else if (event.key in to) to[event.key]?.focus();
    else return;
    event.preventDefault();
  }

  return { node, add, remove, set, focus: () => list.firstElementChild?.focus() };
}
