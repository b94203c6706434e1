/** Lessons drawn for inspection by a seed that is on record: nobody chooses them, anybody can draw them again. */
import './texts.js';
import { stateBadge } from '../../components/badge.js';
import { button } from '../../components/button.js';
import { copyButton } from '../../components/copy.js';
import { field, textInput } from '../../components/field.js';
import { table } from '../../components/table.js';
import { get, post } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { length } from '../../lib/hours.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { lessonButtons } from './open.js';

const DAY_MS = 86_400_000;
const MONTH_DAYS = 30;
const CHINA_MS = 28_800_000;
const day = (ms) => new Date(ms + CHINA_MS).toISOString().slice(0, 10);

export function sampleSection() {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const since = el('input', { class: 'input', type: 'date', value: day(Date.now() - MONTH_DAYS * DAY_MS), required: true });
  const until = el('input', { class: 'input', type: 'date', value: day(Date.now()), required: true });
  const percent = el('input', { class: 'input', type: 'number', min: 10, max: 100, step: 1, value: '10', required: true });
  const seed = textInput({ maxlength: 64, pattern: '[0-9a-f]{64}', spellcheck: 'false' });
  const form = el('form', { class: 'panel card', on: { submit: draw } }, el('h3', {}, t('inspect.draw_title')), el('p', { class: 'hint' }, t('inspect.draw_text')),
    el('div', { class: 'inspect-fields' }, field(t('inspect.since'), since).node, field(t('inspect.until'), until).node,
      field(t('inspect.percent'), percent).node, el('div', { class: 'wide' }, field(t('inspect.seed_own'), seed, t('inspect.seed_hint')).node)),
    el('div', { class: 'row' }, button(t('inspect.draw'), { kind: 'primary', type: 'submit', symbol: 'list', testid: 'draw-sample' })), problem);
  const drawn = el('div', {});
  const earlier = table({
    caption: t('inspect.samples'), empty: t('inspect.no_samples'), file: null,
    columns: [
      { text: t('inspect.drawn_at'), value: ({ at }) => at, cell: ({ at }) => format.dateTime(at), tight: true },
      { text: t('inspect.period'), value: (row) => `${row.since} – ${row.until}`, tight: true },
      { text: t('inspect.percent'), value: (row) => row.percent, numeric: true },
      { text: t('inspect.drawn'), value: (row) => row.lessons.length, cell: (row) => t('inspect.drawn_of', { n: row.lessons.length, all: row.population }) },
      { text: t('table.actions'), value: () => '', plain: true, cell: (row) => button(t('inspect.show'), { kind: 'quiet', symbol: 'list',
        'aria-label': t('inspect.show_of', { time: format.dateTime(row.at) }), press: () => show(row) }) },
    ],
  });
  const node = el('section', { class: 'stacked' }, el('h2', {}, t('inspect.sample')), form, drawn,
    el('section', {}, el('h3', {}, t('inspect.samples')), earlier.node));

  async function draw(event) {
    event.preventDefault();
    const order = { since: since.value, until: until.value, percent: Number(percent.value), ...(seed.value && { seed: seed.value }) };
    try {
      show(await post('/inspections/samples', order));
      setText(problem, '');
      await refresh();
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  function show(row) {
    const lessons = table({
      caption: t('inspect.sample'), empty: t('inspect.nothing_drawn'), file: 'sample',
      columns: [
        { text: t('lessons.title'), value: (lesson) => lesson.title || lesson.id },
        { text: t('lessons.state'), value: ({ state }) => state, cell: ({ state }) => stateBadge(state) },
        { text: t('lessons.started'), value: (lesson) => lesson.started_at ?? '', cell: (lesson) => format.dateTime(lesson.started_at), tight: true },
        { text: t('table.actions'), value: () => '', plain: true, cell: (lesson) => el('div', { class: 'row' }, lessonButtons(lesson)) },
      ],
    });
    lessons.set(row.lessons);
    const facts = [
      [t('inspect.drawn'), t('inspect.drawn_sum', { n: row.lessons.length, all: row.population, time: length(row.drawn_s), total: length(row.total_s) })],
      [t('inspect.seed'), [row.seed, ' ', copyButton(row.seed, t('inspect.seed'))]],
      [t('inspect.population'), [row.population_sha256]],
    ];
    const heading = el('h3', { tabindex: '-1' }, t('inspect.sample_of', { time: format.dateTime(row.at) }));
    drawn.replaceChildren(el('section', { class: 'panel card', testid: 'sample' }, heading,
      el('dl', { class: 'about' }, facts.flatMap(([name, value]) => [el('dt', {}, name), el('dd', { class: 'hash' }, value)])), lessons.node));
    heading.focus();
  }

  async function refresh() {
    try {
      earlier.set((await get('/inspections/samples')).items);
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  return { node, refresh };
}
