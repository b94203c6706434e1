/** Checks of a lesson one by one: what came of each, why one is excused, and photos that a person decides about. */
import './checked-texts.js';
import { getAll, post } from '../lib/api.js';
import { el, setText } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';
import { badge } from './badge.js';
import { button } from './button.js';
import { ask } from './dialog.js';
import { field, textInput } from './field.js';
import { livenessWords } from './liveness.js';
import { reviewPhoto } from './photo-review.js';
import { toast } from './toast.js';

const RESULTS = {
  passed: ['checked.passed', 'ok'], failed: ['checked.failed', 'danger'], timeout: ['checked.timeout', 'danger'],
  excused: ['checked.excused', 'neutral'], review: ['checked.review', 'warn'],
};
const OPEN = ['checked.open', 'neutral'];
const MISSED = new Set(['failed', 'timeout']);
const PROBLEMS = { not_missed: 'checked.not_missed', not_excused: 'checked.not_excused', already_asked: 'checked.already_asked', challenge_over: 'checked.decided' };
const REASON_MOST = 500;
const MOST = 12_000;
const SHOWN = 200;

const explainCheck = (problem) => (problem?.code in PROBLEMS ? t(PROBLEMS[problem.code]) : explain(problem));

/**
 * `person`: one learner's alone; without one, what was missed, is excused or waits for a person, and `name(person)` says
 * whose. `excuses`, `reviews`: whether that may be done from here; `changed()` is called after it.
 */
export function checksList(lesson, { person = null, name = String, excuses = false, reviews = false, changed = () => null }) {
  const path = `/lessons/${encodeURIComponent(lesson)}/challenges`;
  const list = el('ul', { class: 'why-list', testid: 'checks-list' });
  const problem = el('p', { class: 'problem', role: 'alert' });
  const node = el('section', {}, el('h3', {}, t('checked.title')), problem, list);

  async function refresh() {
    try {
      const found = await getAll(person ? `${path}?person=${encodeURIComponent(person)}&limit=1000` : `${path}?limit=1000`, MOST);
      const rows = person ? found : found.filter(({ result, excuse }) => MISSED.has(result) || result === 'review' || excuse);
      list.replaceChildren(...rows.slice(-SHOWN).reverse().map(row));
      if (!rows.length) list.replaceChildren(el('li', { class: 'hint' }, t(person ? 'checked.none' : 'checked.none_missed')));
      setText(problem, '');
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  function row(check) {
    const [key, tone] = RESULTS[check.result] ?? OPEN;
    const kind = t(check.kind === 'face' ? 'checked.face' : 'checked.quiz');
    const words = t('checked.line', { kind, at: format.clockExact(check.issued_at) });
    const { excuse } = check;
    const advice = livenessWords(check.liveness);
    const why = excuse && t('checked.why', { reason: excuse.reason, by: excuse.by });
    return el('li', {}, person ? null : `${name(check.person)}: `, words, ' ', badge(t(key), tone), why && el('span', { class: 'hint' }, why),
      advice && el('span', { class: 'hint' }, advice),
      el('div', { class: 'row' },
        excuses && MISSED.has(check.result) && act(check, 'excuse', 'checked.excuse'),
        excuses && excuse && act(check, 'excuse/withdrawal', 'checked.withdraw'),
        reviews && check.result === 'review' && button(t('checked.look'), { symbol: 'camera', testid: 'review-photo', press: () => look(check) })));
  }

  const act = (check, what, key) => button(t(key), { kind: 'quiet', testid: what === 'excuse' ? 'excuse-check' : 'withdraw-excuse', press: () => revise(check, what, key) });

  async function revise(check, what, key) {
    const words = textInput({ required: true, maxlength: REASON_MOST });
    const done = await ask({
      title: t(key), label: t('checked.confirm'), testid: 'confirm-excuse', explain: explainCheck, focus: words,
      body: [el('p', {}, t('checked.about')), field(t('checked.reason'), words, t('checked.reason_hint')).node],
      confirm: () => post(`${path}/${encodeURIComponent(check.id)}/${what}`, { person: check.person, reason: words.value.trim() }),
    });
    if (!done) return;
    toast(t(done.state === 'requested' ? 'checked.asked' : 'checked.done'));
    await after();
  }

  async function look(check) {
    if (await reviewPhoto(lesson, check, { name: name(check.person), explain: explainCheck })) await after();
  }

  async function after() {
    await refresh();
    await changed();
  }

  refresh();
  return { node, refresh };
}
