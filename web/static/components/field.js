import { el, uniqueId } from '../lib/dom.js';

/** A labelled control with an optional hint below it; returns { node, input }. */
export function field(label, input, hint = null) {
  input.id ||= uniqueId('field');
  const help = hint && el('p', { class: 'hint', id: `${input.id}-hint` }, hint);
  if (help) input.setAttribute('aria-describedby', help.id);
  const node = el('div', { class: 'field' }, el('label', { for: input.id }, label), input, help);
  return { node, input };
}

export const textInput = (attributes = {}) => el('input', { class: 'input', type: 'text', autocomplete: 'off', ...attributes });

/** options: [[value, text], …] */
export function select(options, attributes = {}) {
  return el('select', { class: 'input', ...attributes }, options.map(([value, text]) => el('option', { value }, text)));
}

/** Fills a select anew ([[value, text], …]) without losing what is chosen. */
export function fillSelect(input, list) {
  const { value } = input;
  input.replaceChildren(...list.map(([name, text]) => el('option', { value: name }, text)));
  if (list.some(([name]) => name === value)) input.value = value;
}
