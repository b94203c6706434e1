/** A form made of fields that are data (`fields.js`): drawn, filled, read. */
import { ask } from '../../../components/dialog.js';
import { field, select, textInput } from '../../../components/field.js';
import { el } from '../../../lib/dom.js';
import { t } from '../../../lib/i18n.js';
import { KINDS, WORDS } from './fields.js';
import { picker } from './pick.js';
import { say } from './problems.js';

/** Asks for a thing of `kind`; what `save(values)` gave, or null. `now`: what is there, to be changed. */
export async function askFor(kind, title, save, now = null) {
  const fields = KINDS[kind].fields.filter(({ fixed }) => !now || !fixed).map((one) => [one, control(one, now?.[one.name])]);
  const answer = ask({
    title, label: t('people.save'), testid: 'people-save', wide: true, explain: say,
    focus: fields.map(([, { input }]) => input).find(Boolean),
    body: [el('div', { class: 'form-grid' }, fields.map(([, { node }]) => node))],
    confirm: () => save(Object.fromEntries(fields.map(([{ name }, { value }]) => [name, value()]).filter(([, given]) => given !== undefined))),
  });
  await Promise.all(fields.map(([{ name }, { load }]) => load?.(now?.[name] ?? '')));
  return answer;
}

const CONTROLS = {
  text: (label, one, now) => plain(label, textInput({ maxlength: one.most, required: one.required, value: now ?? '', name: one.name }), one),
  date: (label, one, now) => plain(label, textInput({ type: 'date', value: now ?? '', name: one.name }), one),
  area: (label, one, now) => {
    const input = el('textarea', { class: 'input', rows: 2, maxlength: 2000, value: now ?? '', name: one.name });
    return { ...plain(label, input, one), node: el('div', { class: 'form-wide' }, field(label, input).node) };
  },
  number: (label, one, now) => {
    const input = textInput({ type: 'number', min: 0, max: one.most, value: String(now ?? 0), inputmode: 'numeric', name: one.name });
    return { ...plain(label, input, one), value: () => Number(input.value || 0) };
  },
  choice: (label, one, now) => {
    const input = select(Object.entries(WORDS[one.words]).map(([value, key]) => [value, t(key)]), { name: one.name });
    if (now) input.value = now;
    return plain(label, input, one);
  },
  flag: (label, one, now) => {
    const [node, input] = box(label, now ?? false);
    return { node, input: null, value: () => input.checked };
  },
  flags: (label, one, now) => {
    const boxes = Object.entries(WORDS[one.words]).map(([value, key]) => [value, ...box(t(key), (now ?? []).includes(value))]);
    const node = el('fieldset', { class: 'form-flags' }, el('legend', {}, label), boxes.map(([, each]) => each));
    return { node, input: null, value: () => boxes.filter(([, , input]) => input.checked).map(([value]) => value) };
  },
  pick: (label, one) => ({ ...picker(label, one.path, one), input: null }),
};

function control(one, now) {
  return CONTROLS[one.type](t(one.label), one, now);
}

function plain(label, input, one) {
  return { node: field(label, input, one.hint ? t(one.hint) : null).node, input, value: () => input.value.trim() };
}

function box(label, checked) {
  const input = el('input', { type: 'checkbox', checked });
  return [el('label', { class: 'check' }, input, label), input];
}
