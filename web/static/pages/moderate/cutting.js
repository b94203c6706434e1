/** The two dialogs: what is asked is already filled in, so that Enter is enough. */
import { ask } from '../../components/dialog.js';
import { field, select, textInput } from '../../components/field.js';
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';

const OFFERED = [
  ['lesson', 'level.lesson'], ['picture', 'level.picture'], ['pause', 'level.pause'], ['chat', 'level.chat'],
];

/** `person` given: this one person is removed; else the class is cut at the chosen level. */
export function askCut(wall, lesson, person = null) {
  const level = select(OFFERED.map(([value, key]) => [value, t(key)]));
  const reason = textInput({ value: t('cut.default_reason'), maxlength: 200, required: true });
  const who = person ? el('p', {}, t('cut.person_text', { name: person.name || person.person })) : el('p', {}, t('cut.text'));
  return ask({
    title: person ? t('cut.person_title') : t('cut.title', { title: lesson.title }),
    body: [who, !person && field(t('cut.level'), level).node, field(t('cut.reason_label'), reason, t('cut.reason_hint')).node],
    label: person ? t('cut.person_confirm') : t('cut.confirm'), kind: 'danger', testid: 'cut-confirm', explain,
    confirm: () => wall.cut(lesson.id, person
      ? { level: 'person', reason: reason.value.trim(), person: person.person }
      : { level: level.value, reason: reason.value.trim() }),
  });
}

export function askRestore(wall, lesson) {
  const reason = textInput({ value: t('restore.default_reason'), maxlength: 200, required: true });
  return ask({
    title: t('restore.title', { title: lesson.title }),
    body: [el('p', {}, t('restore.text')), field(t('cut.reason_label'), reason).node],
    label: t('restore.confirm'), testid: 'restore-confirm', explain,
    confirm: () => wall.restore(lesson.id, { reason: reason.value.trim() }),
  });
}
