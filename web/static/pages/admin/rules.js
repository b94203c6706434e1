/** A policy's rules as a table: a row for each category, a column for what was looked at; a cell opens its steps. */
import { button } from '../../components/button.js';
import { categoryName, categoryNames, kindName } from '../../components/category.js';
import { ask } from '../../components/dialog.js';
import { field, select, textInput } from '../../components/field.js';
import { measureName } from '../../components/measure.js';
import { el } from '../../lib/dom.js';
import { percent } from '../../lib/format.js';
import { t } from '../../lib/i18n.js';

const PICTURE = ['log', 'warn', 'blank', 'pause', 'cut'];
/** What may follow from each kind (liveserver/core/policies.py). */
const FOLLOWS = { frame: PICTURE, text: PICTURE, speech: PICTURE, chat: ['log', 'warn', 'hide', 'mute'] };
const KINDS = Object.keys(FOLLOWS);

/** { node, set(rules), get(rules?) } */
export function ruleTable(changed) {
  const body = el('tbody');
  const node = el('div', { class: 'table-scroll rules', tabindex: '0', role: 'region', 'aria-label': t('rules.title') },
    el('table', {}, el('caption', { class: 'unseen' }, t('rules.title')),
      el('thead', {}, el('tr', {}, el('th', { scope: 'col' }, t('rules.category')), KINDS.map((kind) => el('th', { scope: 'col' }, kindName(kind))))), body));
  let rules = [];

  function set(next) {
    rules = next.map((rule) => ({ ...rule }));
    render();
  }

  const steps = (kind, category, from = rules) => from.filter((rule) => rule.kind === kind && rule.category === category)
    .sort((a, b) => a.threshold - b.threshold);

  function render() {
    body.replaceChildren(...categoryNames().map((category) => el('tr', {}, el('th', { scope: 'row' }, categoryName(category)),
      KINDS.map((kind) => el('td', { 'data-label': kindName(kind) }, cell(kind, category))))));
  }

  function cell(kind, category) {
    const all = steps(kind, category);
    const words = all.length ? all.map(({ threshold, action }) => el('span', { class: 'rule-step' }, `≥ ${percent(threshold)} `, el('strong', {}, measureName(action))))
      : el('span', { class: 'hint' }, t('rules.none'));
    const press = button('', { kind: 'quiet', press: () => edit(kind, category),
      'aria-label': t('rules.edit', { category: categoryName(category), kind: kindName(kind), steps: said(all) }) });
    press.querySelector('.button-text').replaceChildren(...[words].flat());
    return press;
  }

  async function edit(kind, category) {
    const rows = el('div', { class: 'rule-rows' });
    const add = (threshold, action) => rows.append(stepRow(threshold, action, FOLLOWS[kind]));
    steps(kind, category).forEach(({ threshold, action }) => add(threshold, action));
    const more = button(t('rules.add'), { symbol: 'plus', press: () => add(0.8, FOLLOWS[kind][1]) });
    const done = await ask({
      title: t('rules.edit_title', { category: categoryName(category), kind: kindName(kind) }), label: t('rules.take'), explain: String,
      body: [el('p', { class: 'hint' }, t('rules.text')), rows, more],
      confirm: async () => {
        const read = [...rows.children].map((row) => ({ kind, category, threshold: Number(row.querySelector('input').value) / 100, action: row.querySelector('select').value }));
        if (read.some(({ threshold }) => !(threshold > 0 && threshold <= 1))) throw t('rules.range');
        if (new Set(read.map(({ action }) => action)).size < read.length) throw t('rules.twice');
        return read;
      },
    });
    if (!done) return;
    rules = [...rules.filter((rule) => rule.kind !== kind || rule.category !== category), ...done];
    render();
    changed();
  }

  /** In one order, so that two equal policies look the same. */
  function get(of = rules) {
    return KINDS.flatMap((kind) => categoryNames().flatMap((category) => steps(kind, category, of)))
      .map(({ kind, category, threshold, action }) => ({ kind, category, threshold, action }));
  }

  return { node, set, get };
}

const said = (steps) => (steps.length ? steps.map(({ threshold, action }) => `${percent(threshold)} ${measureName(action)}`).join(', ') : t('rules.none'));

function stepRow(threshold, action, allowed) {
  const from = textInput({ type: 'number', min: '1', max: '100', step: '1', inputmode: 'numeric', value: String(Math.round(threshold * 100)) });
  const what = select(allowed.map((name) => [name, measureName(name)]));
  what.value = action;
  const row = el('div', { class: 'rule-row' }, field(t('rules.from'), from).node, field(t('rules.action'), what).node);
  row.append(button(t('rules.remove'), { kind: 'quiet', symbol: 'close', press: () => row.remove() }));
  return row;
}
