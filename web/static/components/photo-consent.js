/** The consent to photos: given and taken back in the same place, as easily, in the server's own words. */
import './check-texts.js';
import { del, get, put } from '../lib/api.js';
import { el } from '../lib/dom.js';
import { lang, t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';
import { button } from './button.js';
import { ask } from './dialog.js';
import { toast } from './toast.js';

const MINE = '/me/consents';

/** Whether photos may be taken: as agreed before, or asked now. */
export async function agreedToPhotos() {
  return (await get(MINE)).face || (await askConsent(false)) === true;
}

/** The entry in the learner's page. */
export function photoSettings() {
  return button(t('check.photos'), { symbol: 'camera', testid: 'photo-consent', press: change });
}

async function change() {
  try {
    const { face } = await get(MINE);
    if ((await askConsent(face)) === false) toast(t('check.withdrawn'));
  } catch (problem) {
    toast(explain(problem), 'warn');
  }
}

/** Resolves with the new state, or null when nothing was changed. */
async function askConsent(agreed) {
  const { text, sha256 } = await get('/consents/face');
  const state = agreed ? t('check.agreed') : t('check.not_agreed');
  const answer = await ask({
    title: t('check.photos'), explain, testid: 'consent-confirm', kind: agreed ? 'danger' : 'primary',
    body: [!agreed && el('p', {}, t('check.agree_first')), el('p', {}, text[lang]), el('p', { class: 'hint' }, state)].filter(Boolean),
    label: agreed ? t('check.withdraw') : t('check.agree'),
    confirm: () => (agreed ? del(`${MINE}/face`) : put(`${MINE}/face`, { text_sha256: sha256 })),
  });
  return answer ? answer.face : null;
}
