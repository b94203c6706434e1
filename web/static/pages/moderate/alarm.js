/** Over the wall: the class that needs a person most, said aloud once, and one key away. */
import { button } from '../../components/button.js';
import { icon } from '../../components/icon.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { needWords } from './tile.js';

/** `go(id)` brings the class into sight. */
export function alarmBar(wall, go) {
  const title = el('strong', { class: 'alarm-title' });
  const why = el('span');
  const more = el('span', { class: 'alarm-more' });
  const jump = button(t('alarm.go'), { key: 'J', 'aria-keyshortcuts': 'J', testid: 'alarm-go', press: next });
  const node = el('section', { class: 'alarm', hidden: true, 'aria-label': t('alarm.label') }, icon('warn'),
    el('p', { class: 'alarm-text', role: 'alert' }, title, ' · ', why, ' ', more), jump);

  function next() {
    const [first] = wall.urgent;
    if (first) go(first.id);
  }

  function render() {
    const [first, ...others] = wall.urgent;
    node.hidden = !first;
    setText(title, first ? first.title || first.id : '');
    setText(why, first ? `${needWords(first)}.` : '');
    setText(more, others.length ? t('alarm.more', { n: format.count(others.length) }) : '');
  }

  return { node, render, next };
}
