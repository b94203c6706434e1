/** Choosing one of many that are on the server: a search, and what it finds. */
import { fillSelect, select, textInput } from '../../../components/field.js';
import { get } from '../../../lib/api.js';
import { el, uniqueId } from '../../../lib/dom.js';
import { t } from '../../../lib/i18n.js';

const SHOWN = 20;
const REST_MS = 250;

export const titleOf = (row) => [row.code ?? row.number ?? '', row.name, row.phone ?? ''].filter(Boolean).join(' · ');

/** { node, value(), row(), load(id) }; the first choice is nothing, unless `required`. */
export function picker(label, path, { required = false } = {}) {
  const words = textInput({ type: 'search', placeholder: t('people.pick_search'), 'aria-label': t('people.pick_in', { name: label }), on: { input: later } });
  const choices = select([['', t('people.none')]], { id: uniqueId('pick') });
  const node = el('div', { class: 'field' }, el('label', { for: choices.id }, label), words, choices);
  let timer = 0;
  let chosen = null;
  let known = [];

  function later() {
    clearTimeout(timer);
    timer = setTimeout(find, REST_MS);
  }

  async function find() {
    const asked = words.value;
    const { items } = await get(`/${path}?status=active&limit=${SHOWN}&q=${encodeURIComponent(asked.trim())}`);
    if (asked !== words.value) return; // a later search is on its way
    known = chosen && !items.some(({ id }) => id === chosen.id) ? [chosen, ...items] : items;
    fillSelect(choices, [...(required && known.length ? [] : [['', t('people.none')]]), ...known.map((row) => [row.id, titleOf(row)])]);
    if (asked && items.length && !chosen) choices.value = items[0].id;
  }

  async function load(id) {
    if (id) chosen = await get(`/${path}/${encodeURIComponent(id)}`);
    await find();
    if (id) choices.value = id;
  }

  return { node, value: () => choices.value, row: () => known.find(({ id }) => id === choices.value) ?? null, load };
}
