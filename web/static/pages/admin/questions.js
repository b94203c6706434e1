/** The courses' banks of questions: searched, added to one by one or from a table, taken out of use and back. */
import { button } from '../../components/button.js';
import { ask } from '../../components/dialog.js';
import { field, fillSelect, select } from '../../components/field.js';
import { questionForm } from '../../components/question-form.js';
import { table } from '../../components/table.js';
import { toast } from '../../components/toast.js';
import { getAll, post } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { add as addTexts, t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import en from '../../i18n/bank.en.js';
import zh from '../../i18n/bank.zh.js';
import { AT_ONCE, letters, parseLines } from './question-lines.js';

addTexts({ zh, en });

const KINDS = { single: 'bank.kind_single', multiple: 'bank.kind_multiple', arithmetic: 'bank.kind_arithmetic', slide: 'bank.kind_slide' };
const CODES = { incomplete: 'quiz.incomplete', one_right: 'quiz.one_right' };

export function questionsSection() {
  const course = select([['', t('bank.every')]], { testid: 'bank-course', on: { change: refresh } });
  const status = select([['active', t('bank.active')], ['archived', t('bank.off')]], { on: { change: refresh } });
  const problem = el('p', { class: 'problem', role: 'alert' });
  const list = table({
    caption: t('bank.title'), empty: t('bank.empty'), file: 'questions',
    columns: [
      { text: t('bank.question'), value: ({ text }) => text, cell: ({ text }) => el('span', { class: 'bank-text' }, text) },
      { text: t('bank.kind'), value: ({ kind }) => t(KINDS[kind]), tight: true },
      { text: t('bank.options'), value: answerOf },
      { text: t('bank.created'), value: ({ created_at: at }) => at, cell: ({ created_at: at }) => format.dateTime(at), tight: true },
      { text: t('table.actions'), value: () => '', plain: true, cell: actions },
    ],
  });
  const node = el('section', { class: 'questions' }, el('h2', {}, t('bank.title')), el('p', { class: 'hint' }, t('bank.text')),
    el('div', { class: 'row' }, field(t('bank.course'), course).node, field(t('bank.show'), status).node,
      button(t('bank.add'), { kind: 'primary', symbol: 'plus', testid: 'bank-add', press: addOne }),
      button(t('bank.add_many'), { symbol: 'upload', testid: 'bank-many', press: addMany })),
    problem, list.node);

  async function refresh() {
    try {
      const courses = await getAll('/courses?status=active&limit=200');
      fillSelect(course, [['', t('bank.every')], ...courses.map(({ id, name }) => [id, name])]);
      list.set(await getAll(`/questions?course=${encodeURIComponent(course.value)}&status=${status.value}&limit=1000`, 10_000));
      setText(problem, '');
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  function actions(question) {
    const inUse = question.status === 'active';
    return button(t(inUse ? 'bank.archive' : 'bank.restore'), { kind: 'quiet', symbol: inUse ? 'close' : 'restore',
      'aria-label': `${t(inUse ? 'bank.archive' : 'bank.restore')}: ${question.text}`, press: () => setStatus(question, inUse ? 'archive' : 'restore') });
  }

  async function setStatus({ id }, act) {
    try {
      await post(`/questions/${id}/${act}`);
      toast(t(act === 'archive' ? 'bank.archived' : 'bank.restored'));
      await refresh();
    } catch (caught) {
      toast(explain(caught), 'warn');
    }
  }

  async function addOne() {
    const kind = select(['single', 'multiple', 'slide'].map((name) => [name, t(KINDS[name])]));
    const form = questionForm();
    await added(ask({ title: t('bank.add'), label: t('bank.add'), testid: 'bank-save', explain: explained, focus: form.text,
      body: [field(t('bank.kind'), kind).node, form.node], confirm: () => send([form.value(kind.value)]) }));
  }

  async function addMany() {
    const lines = el('textarea', { class: 'input mono', rows: 10, spellcheck: 'false', testid: 'bank-lines' });
    const count = el('p', { class: 'hint', role: 'status' });
    lines.addEventListener('input', () => {
      const { questions, wrong } = parseLines(lines.value);
      setText(count, wrong.length ? t('bank.number', { n: wrong[0], why: t('bank.wrong') }) : t('bank.ready', { n: format.count(questions.length) }));
    });
    await added(ask({ title: t('bank.add_many'), label: t('bank.add'), testid: 'bank-save', explain: explained, focus: lines, wide: true,
      body: [el('p', { class: 'hint' }, t('bank.lines_hint', { n: AT_ONCE })), field(t('bank.lines'), lines).node, count],
      confirm: () => {
        const { questions, wrong } = parseLines(lines.value);
        if (wrong.length) throw new Error(t('bank.number', { n: wrong[0], why: t('bank.wrong') }));
        return send(questions);
      } }));
  }

  const send = (questions) => post('/questions', { course: course.value, questions });

  async function added(asking) {
    const made = await asking;
    if (!made) return;
    toast(t('bank.added', { n: format.count(made.items.length) }));
    await refresh();
  }

  return { node, refresh };
}

const explained = (caught) => (caught.code in CODES ? t(CODES[caught.code]) : caught.code === 'bad_question' ? caught.detail : caught.code ? explain(caught) : caught.message);

function answerOf({ kind, options, right }) {
  if (kind === 'arithmetic') return String(right[0]);
  return options.map((text, place) => `${letters[place]} ${text}${right.includes(place) ? ' ✓' : ''}`).join('　');
}
