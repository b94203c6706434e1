/** The first password of an account, or a new one, by the link that an administrator made. */
import { button } from '../../components/button.js';
import { field } from '../../components/field.js';
import { newPassword } from '../../components/new-password.js';
import { setPassword } from '../../lib/account.js';
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { forget, passwordLink } from '../../lib/session.js';
import { excuse } from '../../lib/sign-in-problems.js';

/** `done()` once it is set: sign in with it then. */
export function passwordForm(done) {
  const [password, again] = [newPassword('new-password'), newPassword('new-password-again')];
  const why = el('p', { class: 'problem', role: 'alert', testid: 'password-problem' });
  const save = button(t('password.save'), { kind: 'primary', type: 'submit', testid: 'save-password' });

  async function submit(event) {
    event.preventDefault();
    if (password.value !== again.value) {
      why.textContent = t('password.differ');
      return;
    }
    save.disabled = true;
    try {
      await setPassword(passwordLink(), password.value);
      forget('password');
      done();
    } catch (caught) {
      why.textContent = excuse(caught);
    } finally {
      save.disabled = false;
    }
  }

  return el('form', { class: 'panel card sign-in', on: { submit } }, el('h2', {}, t('password.title')), el('p', {}, t('password.text')),
    field(t('password.new'), password, t('password.rule')).node, field(t('password.again'), again).node, why, save);
}
