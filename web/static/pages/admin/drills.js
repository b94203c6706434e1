/** Drills of the kill switch: how long it took each time until nothing more came, as a chart and in figures. */
import { button } from '../../components/button.js';
import { lineChart } from '../../components/chart.js';
import { table } from '../../components/table.js';
import { getAll } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { LEVEL_NAMES } from '../../components/level.js';

const SERIES = [['p50', 'drills.p50'], ['p99', 'drills.p99'], ['max', 'drills.max']];
/** Twenty drills say how it has been; older ones are in the table. */
const SHOWN = 20;

const ms = (value) => (value === null || value === undefined ? '–' : t('drills.ms', { n: value < 10 ? value.toFixed(1) : Math.round(value) }));
const dark = (drill, name) => drill.seen?.dark?.[name] ?? null;

export function drillsPanel() {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const chart = lineChart({ label: t('drills.chart'), empty: t('drills.empty') });
  const list = table({
    caption: t('drills.title'), empty: t('drills.empty'), file: 'drills',
    columns: [
      { text: t('drills.at'), value: ({ at }) => at, cell: ({ at }) => format.dateTime(at), tight: true },
      { text: t('drills.level'), value: ({ level }) => level, cell: ({ level }) => t(LEVEL_NAMES[level] ?? 'level.lesson') },
      { text: t('drills.viewers'), value: ({ viewers }) => viewers, cell: ({ viewers }) => format.count(viewers), numeric: true },
      { text: t('drills.rounds'), value: ({ rounds }) => rounds, cell: ({ rounds }) => format.count(rounds), numeric: true },
      ...SERIES.map(([name, key]) => ({ text: t(key), value: (drill) => dark(drill, name) ?? 0, cell: (drill) => ms(dark(drill, name)), numeric: true })),
      { text: t('drills.server'), value: (drill) => drill.server?.dark?.p99 ?? 0, cell: (drill) => ms(drill.server?.dark?.p99), numeric: true },
      { text: t('drills.by'), value: ({ by }) => by },
    ],
  });
  const node = el('div', { class: 'precision' }, el('p', { class: 'hint' }, t('drills.text')), problem,
    chart.node, list.node, el('div', {}, button(t('action.refresh'), { symbol: 'restore', press: refresh })));

  async function refresh() {
    try {
      const drills = await getAll('/drills?limit=100');
      list.set(drills);
      draw(drills.slice(0, SHOWN).reverse());
      setText(problem, '');
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  function draw(drills) {
    const series = SERIES.map(([name, key]) => ({ name: t(key), points: drills.map((drill, i) => [i, dark(drill, name)]).filter(([, value]) => value !== null) }));
    const most = nice(Math.max(1, ...series.flatMap(({ points }) => points.map(([, value]) => value))));
    const ticks = [0, most / 2, most].map((value) => [value, ms(value)]);
    chart.set({ series, most, ticks, from: 0, to: Math.max(1, drills.length - 1), text: ms, when: (i) => format.dateTime(drills[i]?.at) });
  }

  return { node, refresh };
}

/** The next of 1, 2, 5, 10, 20, 50 … for the top of a scale. */
function nice(value) {
  const ten = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((n) => n * ten).find((top) => top >= value);
}
