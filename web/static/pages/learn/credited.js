/** The chip that says what is credited so far; tapped, it says why not more. */
import '../../components/hours-texts.js';
import { button, relabel } from '../../components/button.js';
import { tell } from '../../components/dialog.js';
import { why } from '../../components/why.js';
import { el } from '../../lib/dom.js';
import { length } from '../../lib/hours.js';
import { t } from '../../lib/i18n.js';
import { goTo } from '../../lib/session.js';

export function creditedChip(viewer, story) {
  let newest = null;
  const node = button(t('hours.chip_none'), { kind: 'quiet', symbol: 'clock', class: 'button quiet chip', testid: 'credited', hidden: true, press: explain });
  viewer.on('attendance', (message) => {
    newest = message;
    node.hidden = false;
    relabel(node, message.credited_s ? t('hours.chip', { length: length(message.credited_s) }) : t('hours.chip_none'));
  });

  async function explain() {
    const from = story.lesson.started_at_ms ?? newest.as_of_ms;
    const to = newest.as_of_ms;
    const note = el('div', { class: 'why-note' }, el('p', { class: 'hint' }, t('hours.provisional')), el('p', { class: 'hint' }, t('hours.object')),
      button(t('hours.all_mine'), { symbol: 'list', press: () => goTo('/hours') }));
    await tell({ title: t('hours.why_title'), body: [why({ ...newest, voids: newest.void, from, to, taught: [{ from, to }], note })] });
  }

  return node;
}
