/** The dialog that asks: what (a question of the course's bank, an own one, a photo), and whom. */
import { ask } from '../../components/dialog.js';
import { field, select } from '../../components/field.js';
import { questionForm } from '../../components/question-form.js';
import { Problem } from '../../lib/api.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { bankPicker } from './bank.js';

const OWN = new Set(['single', 'multiple', 'slide']);
const CODES = { not_live: 'quiz.not_live', unknown_person: 'quiz.unknown_person', bad_question: 'quiz.incomplete', incomplete: 'quiz.incomplete',
  one_right: 'quiz.one_right', none_chosen: 'quiz.none_chosen' };

export const explainAsking = (problem) => (problem.code in CODES ? t(CODES[problem.code]) : explain(problem));

/** Resolves with the server's answer, or null when the instructor left. */
export function askOwn(lesson, learners, send) {
  const how = select([['sum', t('quiz.sum')], ['bank', t('quiz.bank')], ['single', t('quiz.single')], ['multiple', t('quiz.multiple')],
    ['slide', t('quiz.slide')], ['face', t('quiz.face')]]);
  const whom = select([['', t('quiz.everybody')], ...learners.map(({ person, name }) => [person, name || person])]);
  const own = questionForm({ hidden: true });
  const bank = bankPicker(lesson);
  how.addEventListener('change', () => {
    own.node.hidden = !OWN.has(how.value);
    bank.node.hidden = how.value !== 'bank';
    if (how.value === 'bank') bank.load();
  });

  /** The order without its addressee; throws `Problem` for what is not complete. */
  function what() {
    if (how.value === 'face') return { kind: 'face' };
    if (how.value === 'sum') return { kind: 'quiz' };
    if (how.value !== 'bank') return { kind: 'quiz', question: own.value(how.value) };
    if (!bank.chosen) throw new Problem('none_chosen');
    return { kind: 'quiz', question: bank.chosen };
  }

  return ask({
    title: t('quiz.title'), label: t('quiz.send'), testid: 'quiz-send', explain: explainAsking, focus: how,
    body: [field(t('quiz.how'), how).node, own.node, bank.node, field(t('quiz.whom'), whom).node],
    confirm: () => send({ ...what(), ...(whom.value ? { person: whom.value } : {}) }),
  });
}
