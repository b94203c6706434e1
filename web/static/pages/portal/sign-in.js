/** The form by which people sign in: a passkey first, where the browser has them, then name and password. */
import { button } from '../../components/button.js';
import { field, textInput } from '../../components/field.js';
import { signIn, signInByPasskey } from '../../lib/account.js';
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { canUsePasskeys } from '../../lib/passkey.js';
import { excuse } from '../../lib/sign-in-problems.js';

/** `done(session)` once somebody is in; `offered`: other ways; `problem`: a code to begin with. */
export function signInForm(done, { oidc }, problem = null) {
  const name = textInput({ required: true, maxlength: 64, autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false', testid: 'sign-in-name' });
  const password = el('input', { class: 'input', type: 'password', required: true, maxlength: 128, autocomplete: 'current-password', testid: 'sign-in-password' });
  const why = el('p', { class: 'problem', role: 'alert', testid: 'sign-in-problem' }, problem && excuse(problem));
  const enter = button(t('signin.enter'), { kind: 'primary', type: 'submit', testid: 'sign-in' });
  const other = el('div', { class: 'sign-in-other' });
  if (canUsePasskeys()) {
    other.append(button(t('signin.passkey'), { symbol: 'shield', testid: 'sign-in-passkey', press: () => attempt(signInByPasskey) }));
  }

  async function attempt(way) {
    why.textContent = '';
    enter.disabled = true;
    try {
      done(await way());
    } catch (caught) {
      why.textContent = excuse(caught);
      password.value = '';
      password.focus();
    } finally {
      enter.disabled = false;
    }
  }

  function submit(event) {
    event.preventDefault();
    attempt(() => signIn(name.value, password.value));
  }

  if (oidc) other.append(el('a', { class: 'button plain', href: oidc.url, testid: 'sign-in-oidc' }, oidc.label || t('signin.oidc')));
  return el('form', { class: 'panel card sign-in', 'aria-labelledby': 'sign-in', on: { submit } }, el('h2', { id: 'sign-in' }, t('signin.title')),
    other, field(t('signin.name'), name).node, field(t('signin.password'), password).node, why, enter, el('p', { class: 'hint' }, t('signin.forgotten')));
}
