/** Above the tiles: how many classes there are, how they are sorted, how many stand beside each other. */
import { button } from '../../components/button.js';
import { select } from '../../components/field.js';
import { el, setText, uniqueId } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';

export function wallTools(wall, tiles) {
  const summary = el('p', { class: 'summary', role: 'status' });
  const order = el('p', { class: 'hint', title: t('order.how') });
  const sort = button(t('order.sort'), { kind: 'quiet', symbol: 'up', key: 'S', 'aria-keyshortcuts': 'S', hidden: true, press: () => wall.sort() });
  const id = uniqueId('columns');
  const columns = select([['0', t('columns.auto')], ...[2, 3, 4, 5, 6].map((n) => [String(n), String(n)])],
    { id, class: 'input columns', on: { change: () => tiles.choose(Number(columns.value)) } });
  const ended = el('input', { type: 'checkbox', id: uniqueId('ended'), on: { change: showEnded } });
  const node = el('div', { class: 'wall-tools' }, summary, el('div', { class: 'order' }, order, sort),
    el('div', { class: 'row' }, el('label', { class: 'check', for: id }, t('columns.label'), columns),
      el('label', { class: 'check', for: ended.id }, ended, t('moderate.show_ended'))));

  function showEnded() {
    wall.showEnded = ended.checked;
    wall.refresh();
  }

  function render() {
    const all = [...wall.lessons.values()];
    const live = all.filter(({ state }) => state === 'live').length;
    const open = all.filter(({ state }) => state !== 'ended').length;
    setText(summary, t('moderate.summary', { live: format.count(live), all: format.count(open) }));
    setText(order, wall.rising ? t('order.held', { n: format.count(wall.rising) }) : t('order.by_risk'));
    sort.hidden = wall.rising === 0;
  }

  return { node, render };
}
