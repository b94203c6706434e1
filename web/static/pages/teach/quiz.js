/** Asking the class: one tap for everybody, a dialog for everything else, and what came of it in numbers. */
import '../../components/quiz-texts.js';
import { barChart } from '../../components/bars.js';
import { button } from '../../components/button.js';
import { checksList } from '../../components/checks-list.js';
import { tell } from '../../components/dialog.js';
import { toast } from '../../components/toast.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { Asked } from './asked.js';
import { askOwn, explainAsking } from './own-question.js';

/** `learners()` are those of the roster; `node` is the tab's content, `open()` the dialog. */
export function quizPanel(lesson, learners) {
  const asked = new Asked(lesson);
  const chart = barChart({ label: t('quiz.results'), empty: t('quiz.empty') });
  const legend = el('p', { class: 'hint', hidden: true }, t('quiz.legend'));
  const status = el('p', { class: 'hint warn-text', role: 'status' });
  const everybody = button(t('quiz.ask_everybody'), { kind: 'primary', symbol: 'hand', testid: 'quiz-sum', press: sum });
  const own = button(t('quiz.own'), { symbol: 'list', testid: 'quiz-own', press: open });
  const results = el('div', { class: 'quiz-results', testid: 'quiz-results' }, chart.node, legend, status);
  const node = el('div', { class: 'quiz', tabindex: '0', role: 'group', 'aria-label': t('quiz.title') },
    everybody, el('p', { class: 'hint' }, t('quiz.ask_hint')), own, results, button(t('checked.missed'), { symbol: 'list', testid: 'quiz-missed', press: missed }));

  async function sum() {
    try {
      said(await asked.ask({ kind: 'quiz' }));
    } catch (problem) {
      toast(explainAsking(problem), 'warn');
    }
  }

  async function open() {
    const done = await askOwn(lesson, learners(), (order) => asked.ask(order));
    if (done) said(done);
    return done;
  }

  function missed() {
    const names = new Map(learners().map((learner) => [learner.person, learner.name]));
    const checks = checksList(lesson, { name: (person) => names.get(person) || person, excuses: true, changed: () => asked.look() });
    return tell({ title: t('checked.missed'), wide: true, body: [checks.node] });
  }

  const said = ({ asked: n }) => toast(t('quiz.asked', { n: format.count(n) }));

  asked.on('change', () => {
    chart.set(asked.rows.map(bar));
    legend.hidden = !asked.rows.length;
    setText(status, asked.stale ? t('quiz.stale') : '');
  });
  chart.set([]);
  asked.look();
  return { node, open };
}

function bar({ kind, at, random, asked, passed, failed, waiting }) {
  const name = random ? t('quiz.random') : t('quiz.row', { kind: t(kind === 'face' ? 'quiz.kind_face' : 'quiz.kind_quiz'), at: format.clockExact(at) });
  const figures = { asked, passed, failed, waiting };
  const text = t('quiz.figures', Object.fromEntries(Object.entries(figures).map(([key, n]) => [key, format.count(n)])));
  // Each bar is as long as its own class: what matters is the share.
  const part = (value, tone) => ({ value: value / asked, tone });
  return { name, text, parts: [part(passed, 'good'), part(failed, 'bad'), part(waiting, 'open')] };
}
