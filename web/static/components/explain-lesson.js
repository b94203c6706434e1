/** A dialog that says what a learner's lesson was worth, and why not more. */
import { get } from '../lib/api.js';
import { el } from '../lib/dom.js';
import { changeOf, spans } from '../lib/hours.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';
import { tell } from './dialog.js';
import { toast } from './toast.js';
import { why } from './why.js';

export async function explainLesson(lesson, title) {
  try {
    const found = await get(`/me/hours/${encodeURIComponent(lesson)}`);
    const taught = spans(found.teaching);
    const [from, to] = [taught[0]?.from ?? 0, taught.at(-1)?.to ?? 0];
    const changes = found.adjustments.filter(({ state }) => state === 'approved').map((change) => el('li', {}, t('hours.changed', { change: changeOf(change), reason: change.reason })));
    const note = [changes.length > 0 && el('ul', { class: 'why-list', testid: 'hours-changed' }, changes),
      el('p', { class: 'hint' }, found.settlement ? t('hours.object') : t('hours.provisional'))];
    await tell({ title, body: [why({ ...found, voids: found.void, from, to, taught, note })] });
  } catch (caught) {
    toast(explain(caught), 'warn');
  }
}
