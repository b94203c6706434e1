/** A question as a form: large answers to choose from, or a number. */
import { el, uniqueId } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { button } from './button.js';
import { field, textInput } from './field.js';

const WHOLE = /^[-−]?\d{1,10}$/;

/** `send(choice)` gets places of options from 0 on, or one number; `missing(key)` is told what has still to be done. */
export function questionForm({ kind, text, options }, { send, missing }) {
  const answer = kind === 'arithmetic' ? number(text) : choices(kind, text, options);
  const submit = button(t('check.answer'), { kind: 'primary', type: 'submit', testid: 'challenge-submit' });
  submit.classList.add('large');
  const controls = el('fieldset', { class: 'question', 'aria-describedby': answer.hint?.id }, answer.nodes, submit);
  const node = el('form', { novalidate: true, on: { submit: submitted } }, controls);

  function submitted(event) {
    event.preventDefault();
    const choice = answer.read();
    if (choice.length) send(choice);
    else missing(answer.missing);
  }

  return { node, enable: (on) => { controls.disabled = !on; } };
}

function number(text) {
  const input = textInput({ inputmode: 'numeric', enterkeyhint: 'send', maxlength: 11, class: 'input answer-number' });
  return {
    nodes: [el('legend', { class: 'question-text' }, text), field(t('check.number'), input).node],
    read: () => (WHOLE.test(input.value.trim()) ? [Number(input.value.trim().replace('−', '-'))] : []),
    missing: 'check.number_first',
  };
}

function choices(kind, text, options) {
  const many = kind === 'multiple';
  const name = uniqueId('answer');
  const inputs = options.map((_, place) => el('input', { type: many ? 'checkbox' : 'radio', name, value: String(place) }));
  const hint = many ? el('p', { class: 'hint', id: uniqueId('hint') }, t('check.multiple')) : null;
  return {
    nodes: [el('legend', { class: 'question-text' }, text), hint,
      el('div', { class: 'answers' }, options.map((option, place) => el('label', { class: 'answer' }, inputs[place], el('span', {}, option))))],
    hint,
    read: () => inputs.filter(({ checked }) => checked).map(({ value }) => Number(value)),
    missing: 'check.choose',
  };
}
