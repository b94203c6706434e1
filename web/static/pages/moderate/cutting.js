/** The dialogs of cutting and restoring: what is asked is already filled in, so that Enter is enough. */
import { ask } from '../../components/dialog.js';
import { field, select, textInput } from '../../components/field.js';
import { toast } from '../../components/toast.js';
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { bearer } from '../../lib/session.js';
import { levelName } from './cut-words.js';

const OFFERED = ['lesson', 'picture', 'pause', 'chat'];

/** `level`: what the dialog begins with. */
export function askCut(wall, lesson, level = 'lesson') {
  const levels = select(OFFERED.map((value) => [value, levelName(value)]));
  levels.value = level;
  const reason = textInput({ value: t('cut.default_reason'), maxlength: 200, required: true });
  return ask({
    title: t('cut.title', { title: lesson.title || lesson.id }),
    body: [el('p', {}, t('cut.text')), field(t('cut.level'), levels).node, field(t('cut.reason_label'), reason, t('cut.reason_hint')).node],
    label: t('cut.confirm'), kind: 'danger', testid: 'cut-confirm', explain,
    confirm: () => wall.cut(lesson.id, { level: levels.value, reason: reason.value.trim() }),
  });
}

/** Takes one person out of the class. */
export function askRemove(wall, lesson, person) {
  const reason = textInput({ value: t('cut.default_reason'), maxlength: 200, required: true });
  return ask({
    title: t('cut.person_title'),
    body: [el('p', {}, t('cut.person_text', { name: person.name || person.person })), field(t('cut.reason_label'), reason, t('cut.reason_hint')).node],
    label: t('cut.person_confirm'), kind: 'danger', testid: 'cut-confirm', explain,
    confirm: () => wall.cut(lesson.id, { level: 'person', reason: reason.value.trim(), person: person.person }),
  });
}

/** Restores, or is the first of the two persons that the policy asks for. */
export async function askRestore(wall, lesson) {
  const waiting = lesson.cut?.restore ?? null;
  const mine = waiting?.by === bearer().person;
  const reason = textInput({ value: waiting?.reason ?? t('restore.default_reason'), maxlength: 200, required: true });
  const answer = await ask({
    title: t('restore.title', { title: lesson.title || lesson.id }),
    body: [el('p', {}, t('restore.text')), waiting && el('p', { class: 'hint' }, waitingWords(waiting, mine)), field(t('cut.reason_label'), reason).node],
    label: waiting && !mine ? t('restore.second') : t('restore.confirm'), testid: 'restore-confirm', explain,
    confirm: () => wall.restore(lesson.id, { reason: reason.value.trim() }),
  });
  if (answer?.state === 'waiting_for_second') toast(t('restore.asked', { time: format.clockExact(answer.expires_at) }));
}

function waitingWords({ by, by_name: name, expires_at_ms: until }, mine) {
  const time = format.clockExact(until);
  return mine ? t('restore.mine', { time }) : t('restore.waits', { name: name || by, time });
}
