/** The first administrator's account of a new installation, once, by the link that the server printed. */
import '../../components/sign-in-texts.js';
import { button } from '../../components/button.js';
import { field, textInput } from '../../components/field.js';
import { setUp } from '../../lib/account.js';
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { forget, setupToken } from '../../lib/session.js';
import { excuse } from '../../lib/sign-in-problems.js';
import { newPassword } from '../../components/new-password.js';

export function setupForm(done) {
  const name = textInput({ required: true, maxlength: 60, autocomplete: 'name', testid: 'setup-name' });
  const signIn = textInput({ required: true, maxlength: 64, autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', testid: 'setup-sign-in-name' });
  const password = newPassword('setup-password');
  const problem = el('p', { class: 'problem', role: 'alert' });
  const save = button(t('setup.confirm'), { kind: 'primary', type: 'submit', testid: 'setup' });

  async function submit(event) {
    event.preventDefault();
    save.disabled = true;
    try {
      await setUp({ token: setupToken(), name: name.value.trim(), sign_in_name: signIn.value, password: password.value });
      forget('setup');
      done();
    } catch (caught) {
      problem.textContent = excuse(caught);
    } finally {
      save.disabled = false;
    }
  }

  return el('form', { class: 'panel card', on: { submit } }, el('h2', {}, t('setup.title')), el('p', {}, t('setup.text')),
    field(t('setup.name'), name, t('setup.name_hint')).node,
    field(t('signin.name'), signIn).node, field(t('password.new'), password, t('password.rule')).node, problem, save);
}
