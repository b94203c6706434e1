/** A photo that the models could not decide about: shown to a person, who says whose it is. */
import './checked-texts.js';
import { post, request } from '../lib/api.js';
import { el } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';
import { ask } from './dialog.js';
import { field, select, textInput } from './field.js';
import { livenessWords } from './liveness.js';

const REASON_MOST = 200;

/** Resolves with the decision, or null when the person left. The photo is fetched, and the look recorded, once a reason is given. */
export async function reviewPhoto(lesson, check, { name, explain: say }) {
  const path = `/lessons/${encodeURIComponent(lesson)}`;
  const words = textInput({ required: true, maxlength: REASON_MOST });
  const reason = await ask({
    title: t('checked.look'), label: t('checked.show'), testid: 'show-photo', focus: words, confirm: () => words.value.trim(),
    body: [el('p', {}, t('checked.look_text')), field(t('checked.reason'), words).node],
  });
  if (!reason) return null;
  const shown = (id, key) => photo(`/api/v1${path}/photos/${encodeURIComponent(id)}?reason=${encodeURIComponent(reason)}`, t(key, { name }));
  const advice = livenessWords(check.liveness);
  const verdict = select([['', t('checked.choose')], ['yes', t('checked.is_he')], ['no', t('checked.is_not')]], { required: true, testid: 'photo-verdict' });
  return ask({
    title: t('checked.decide'), label: t('checked.confirm'), testid: 'decide-photo', explain: say, focus: verdict, wide: true,
    body: [el('div', { class: 'photo-pair' }, shown(check.photo, 'checked.photo_of'), check.turned && shown(check.turned, 'checked.second_of')),
      advice && el('p', { class: 'hint' }, advice), field(t('checked.verdict'), verdict).node],
    confirm: () => post(`${path}/challenges/${encodeURIComponent(check.id)}/review`, { person: check.person, passed: verdict.value === 'yes' }),
  });
}

function photo(address, alt) {
  const picture = el('img', { alt, testid: 'reviewed-photo', hidden: true });
  const words = el('p', { class: 'hint', role: 'status' }, t('checked.loading'));
  load();

  async function load() {
    try {
      picture.src = URL.createObjectURL(await (await request(address)).blob());
      await picture.decode();
      picture.hidden = false;
      words.remove();
    } catch (problem) {
      words.textContent = problem.code ? explain(problem) : t('checked.broken');
    } finally {
      URL.revokeObjectURL(picture.src);
    }
  }

  return el('figure', {}, words, picture);
}
