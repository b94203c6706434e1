/** The questions a lesson's checks are drawn from, to pick one of: searched as one types. */
import { field, textInput } from '../../components/field.js';
import { get } from '../../lib/api.js';
import { el, setText, uniqueId } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';

const MOST_SHOWN = 30;

/** `chosen`: as the server takes a question, or null. */
export function bankPicker(lesson) {
  const name = uniqueId('bank');
  const search = textInput({ type: 'search', on: { input: draw } });
  const status = el('p', { class: 'hint', role: 'status' });
  const list = el('div', { class: 'bank-list', role: 'radiogroup', 'aria-label': t('quiz.bank'), testid: 'bank' });
  const node = el('div', { class: 'quiz-bank', hidden: true }, field(t('quiz.search'), search).node, list, status);
  const picker = { node, chosen: null, load };
  let questions = null;

  async function load() {
    if (questions) return;
    setText(status, t('quiz.loading'));
    try {
      questions = (await get(`/lessons/${encodeURIComponent(lesson)}/questions`)).items;
      draw();
    } catch (problem) {
      setText(status, explain(problem));
    }
  }

  function draw() {
    const words = search.value.trim().toLowerCase();
    const found = (questions ?? []).filter(({ text }) => text.toLowerCase().includes(words));
    list.replaceChildren(...found.slice(0, MOST_SHOWN).map(row));
    const more = found.length - MOST_SHOWN;
    if (!questions?.length) setText(status, t('quiz.bank_empty'));
    else setText(status, more > 0 ? t('quiz.bank_more', { n: more }) : found.length ? '' : t('table.nothing'));
  }

  function row({ id, kind, text, options, right }) {
    const question = { kind, text, ...(options?.length ? { options } : {}), right };
    const mark = el('input', { type: 'radio', name, value: id, checked: picker.chosen?.id === id, on: { change: () => { picker.chosen = question; } } });
    const answer = options?.length ? right.map((place) => options[place]).join(' · ') : String(right[0]);
    return el('label', { class: 'bank-row' }, mark, el('span', {}, text, el('span', { class: 'hint' }, t('quiz.answer', { answer }))));
  }

  return picker;
}
