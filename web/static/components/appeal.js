import { post } from '../lib/api.js';
import { el } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';
import { ask } from './dialog.js';
import { field } from './field.js';
import { toast } from './toast.js';

const LONGEST = 1000;

/** Asks for the words of an objection and sends it; resolves with the incident, or null when the person left. */
export async function askAppeal(incident) {
  const text = el('textarea', { class: 'input', rows: 4, maxlength: LONGEST, required: true });
  const answer = await ask({
    title: t('appeal.title'), label: t('appeal.send'), explain, focus: text, testid: 'appeal-send',
    body: [el('p', {}, t('appeal.text')), field(t('appeal.label'), text).node],
    confirm: () => post(`/incidents/${encodeURIComponent(incident)}/appeal`, { text: text.value.trim() }),
  });
  if (answer) toast(t('appeal.sent'));
  return answer;
}
