/** The dialog that asks: what (a question of the course, an own one, a photo), and whom. */
import { button } from '../../components/button.js';
import { ask } from '../../components/dialog.js';
import { field, select, textInput } from '../../components/field.js';
import { Problem } from '../../lib/api.js';
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';

const LONGEST_TEXT = 300;
const LONGEST_OPTION = 120;
const [FIRST_OPTIONS, MOST_OPTIONS] = [3, 8];
const CODES = { not_live: 'quiz.not_live', unknown_person: 'quiz.unknown_person', bad_question: 'quiz.incomplete', incomplete: 'quiz.incomplete', one_right: 'quiz.one_right' };

export const explainAsking = (problem) => (problem.code in CODES ? t(CODES[problem.code]) : explain(problem));

/** Resolves with the server's answer, or null when the instructor left. */
export function askOwn(learners, send) {
  const how = select([['sum', t('quiz.sum')], ['single', t('quiz.single')], ['multiple', t('quiz.multiple')], ['face', t('quiz.face')]]);
  const whom = select([['', t('quiz.everybody')], ...learners.map(({ person, name }) => [person, name || person])]);
  const text = el('textarea', { class: 'input', rows: 2, maxlength: LONGEST_TEXT });
  const options = [];
  const list = el('div', { class: 'quiz-options' });
  const more = button(t('quiz.add_option'), { symbol: 'plus', press: () => addOption().focus() });
  const own = el('div', { class: 'quiz-own', hidden: true }, field(t('quiz.text'), text).node, list, more);

  function addOption() {
    const n = options.length + 1;
    const words = textInput({ maxlength: LONGEST_OPTION, 'aria-label': t('quiz.option', { n }), placeholder: t('quiz.option', { n }) });
    const right = el('input', { type: 'checkbox', 'aria-label': `${t('quiz.option', { n })}: ${t('quiz.right')}` });
    options.push({ words, right });
    list.append(el('div', { class: 'quiz-option' }, words, el('label', { class: 'check' }, right, t('quiz.right'))));
    more.hidden = options.length >= MOST_OPTIONS;
    return words;
  }

  for (let n = 0; n < FIRST_OPTIONS; n += 1) addOption();
  how.addEventListener('change', () => { own.hidden = how.value !== 'single' && how.value !== 'multiple'; });

  return ask({
    title: t('quiz.title'), label: t('quiz.send'), testid: 'quiz-send', explain: explainAsking, focus: how,
    body: [field(t('quiz.how'), how).node, own, field(t('quiz.whom'), whom).node],
    confirm: () => send({ ...what(how.value, text.value, options), ...(whom.value ? { person: whom.value } : {}) }),
  });
}

/** The order without its addressee; throws `Problem` for what is not complete. Empty options are left out. */
function what(how, text, options) {
  if (how === 'face') return { kind: 'face' };
  if (how === 'sum') return { kind: 'quiz' };
  const kept = options.filter(({ words }) => words.value.trim());
  const right = kept.flatMap(({ right: mark }, place) => (mark.checked ? [place] : []));
  if (!text.trim() || kept.length < 2 || !right.length) throw new Problem('incomplete');
  if (how === 'single' && right.length !== 1) throw new Problem('one_right');
  return { kind: 'quiz', question: { kind: how, text: text.trim(), options: kept.map(({ words }) => words.value.trim()), right } };
}
