/** A question with its options, the right ones marked: for a teacher who asks it now and for a bank. */
import './quiz-texts.js';
import { Problem } from '../lib/api.js';
import { el } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { button } from './button.js';
import { field, textInput } from './field.js';

const LONGEST_TEXT = 300;
const LONGEST_OPTION = 120;
const [FIRST_OPTIONS, MOST_OPTIONS] = [3, 8];

/** `value(kind)`: the question as the server takes it; throws `Problem` (incomplete, one_right) for what is none. */
export function questionForm(attributes = {}) {
  const text = el('textarea', { class: 'input', rows: 2, maxlength: LONGEST_TEXT });
  const options = [];
  const list = el('div', { class: 'quiz-options' });
  const more = button(t('quiz.add_option'), { symbol: 'plus', press: () => addOption().focus() });
  const node = el('div', { class: 'quiz-own', ...attributes }, field(t('quiz.text'), text).node, list, more);

  function addOption() {
    const n = options.length + 1;
    const words = textInput({ maxlength: LONGEST_OPTION, 'aria-label': t('quiz.option', { n }), placeholder: t('quiz.option', { n }) });
    const right = el('input', { type: 'checkbox', 'aria-label': `${t('quiz.option', { n })}: ${t('quiz.right')}` });
    options.push({ words, right });
    list.append(el('div', { class: 'quiz-option' }, words, el('label', { class: 'check' }, right, t('quiz.right'))));
    more.hidden = options.length >= MOST_OPTIONS;
    return words;
  }

  /** Empty options are left out. */
  function value(kind) {
    const kept = options.filter(({ words }) => words.value.trim());
    const right = kept.flatMap(({ right: mark }, place) => (mark.checked ? [place] : []));
    if (!text.value.trim() || kept.length < 2 || !right.length) throw new Problem('incomplete');
    if (kind !== 'multiple' && right.length !== 1) throw new Problem('one_right');
    return { kind, text: text.value.trim(), options: kept.map(({ words }) => words.value.trim()), right };
  }

  for (let n = 0; n < FIRST_OPTIONS; n += 1) addOption();
  return { node, text, value };
}
