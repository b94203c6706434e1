/** Hours changed by two persons: asking, and deciding what another asked for. */
import { badge } from './badge.js';
import { button } from './button.js';
import { ask as question } from './dialog.js';
import { field, textInput } from './field.js';
import { get, post } from '../lib/api.js';
import { el } from '../lib/dom.js';
import { changeOf } from '../lib/hours.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';
import { bearer } from '../lib/session.js';

const STATES = { requested: ['adjust.requested', 'warn'], approved: ['adjust.approved', 'ok'], refused: ['adjust.refused', 'neutral'] };
const REASON_MOST = 500;
const MOST_MINUTES = 1440;

/** `ask(row)` is a button for a learner's row; `node` lists what was asked for and what became of it. */
export function adjusting(lesson, { changed }) {
  const path = `/lessons/${encodeURIComponent(lesson.id)}/adjustments`;
  let names = new Map();
  const list = el('ul', { class: 'why-list' });
  const node = el('section', { hidden: true }, el('h3', {}, t('adjust.title')), list);

  async function refresh(known) {
    const { items } = await get(path);
    names = known;
    node.hidden = !items.length;
    list.replaceChildren(...items.map(item));
  }

  function item(found) {
    const [key, tone] = STATES[found.state];
    const mine = found.requested_by === bearer().person;
    const words = t('adjust.line', { name: names.get(found.person) || found.person, delta: changeOf(found), reason: found.reason, by: found.requested_by });
    return el('li', {}, words, ' ', badge(t(key), tone),
      found.state === 'requested' && (mine ? el('span', { class: 'hint' }, t('adjust.another')) : el('div', { class: 'row' },
        button(t('adjust.approve'), { symbol: 'ok', press: () => decide(found, 'approved') }),
        button(t('adjust.refuse'), { symbol: 'close', press: () => decide(found, 'refused') }))));
  }

  async function decide(found, decision) {
    const words = textInput({ required: true, maxlength: REASON_MOST });
    const done = await question({
      title: t(decision === 'approved' ? 'adjust.approve' : 'adjust.refuse'), label: t('adjust.confirm'), explain, focus: words,
      body: [field(t('adjust.reason'), words).node],
      confirm: () => post(`/adjustments/${encodeURIComponent(found.id)}/decision`, { decision, reason: words.value.trim() }),
    });
    if (done) await changed();
  }

  function ask(row) {
    return button(t('adjust.ask'), { symbol: 'hand', press: async () => {
      const minutes = textInput({ type: 'number', required: true, min: -MOST_MINUTES, max: MOST_MINUTES, step: 1, value: '5' });
      const words = textInput({ required: true, maxlength: REASON_MOST });
      const done = await question({
        title: t('adjust.ask'), label: t('adjust.confirm'), explain, focus: minutes,
        body: [field(t('adjust.minutes'), minutes, t('adjust.minutes_hint')).node, field(t('adjust.reason'), words, t('adjust.reason_hint')).node],
        confirm: () => post(path, { person: row.person, delta_s: Math.round(Number(minutes.value) * 60), reason: words.value.trim() }),
      });
      if (done) await changed();
    } });
  }

  return { node, refresh, ask };
}
