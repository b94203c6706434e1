/** What stands between a sign-in and a role that takes a passkey: register one, then come in with it. */
import { button } from '../../components/button.js';
import { passkeys, signInByPasskey } from '../../lib/account.js';
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { canUsePasskeys } from '../../lib/passkey.js';
import { excuse } from '../../lib/sign-in-problems.js';

/** `coded`: the first takes a code; `add(coded)` registers one and says whether; `entered(session)` once it was shown. */
export function secondFactor(role, coded, add, entered) {
  const why = el('p', { class: 'problem', role: 'alert', testid: 'factor-problem' });
  const steps = el('div', { class: 'row' });
  const node = el('section', { class: 'notice danger', role: 'status', testid: 'needs-passkey' },
    el('p', {}, t(canUsePasskeys() ? 'needs.passkey' : 'needs.passkey_elsewhere', { role })), coded && el('p', {}, t('needs.code')), steps, why);
  if (canUsePasskeys()) draw();

  async function draw() {
    const own = await passkeys().catch(() => ({ items: [] }));
    steps.replaceChildren(own.items.length
      ? button(t('signin.passkey'), { kind: 'primary', symbol: 'shield', testid: 'factor-sign-in', press: enter })
      : button(t('account.add_passkey'), { kind: 'primary', symbol: 'plus', testid: 'factor-add', press: register }));
  }

  async function register() {
    if (!(await add(coded))) return;
    await enter();
    await draw();
  }

  async function enter() {
    why.textContent = '';
    try {
      entered(await signInByPasskey());
    } catch (caught) {
      why.textContent = excuse(caught);
    }
  }

  return node;
}
