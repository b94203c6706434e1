/** One's own account: passkeys, password, where one is signed in. */
import { badge } from '../../components/badge.js';
import { button } from '../../components/button.js';
import { ask } from '../../components/dialog.js';
import { field, textInput } from '../../components/field.js';
import { newPassword } from '../../components/new-password.js';
import { toast } from '../../components/toast.js';
import { addPasskey, changePassword, endStay, passkeys, removePasskey, signOutEverywhere, stays } from '../../lib/account.js';
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { canUsePasskeys } from '../../lib/passkey.js';
import { excuse } from '../../lib/sign-in-problems.js';

const METHODS = { password: 'account.by_password', passkey: 'account.by_passkey', oidc: 'account.by_oidc', setup: 'account.by_setup' };
const CODE_NEEDED = 'passkey_code_needed';

export function accountSection() {
  const keys = el('ul', { class: 'plain-list', testid: 'passkeys' });
  const places = el('ul', { class: 'plain-list' });
  const more = canUsePasskeys() && button(t('account.add_passkey'), { symbol: 'plus', testid: 'add-passkey', press: () => add() });
  const node = el('details', { class: 'panel account' }, el('summary', { testid: 'account' }, t('account.title')), el('div', { class: 'account-body' },
    el('h3', {}, t('account.passkeys')), el('p', { class: 'hint' }, t(canUsePasskeys() ? 'account.passkeys_text' : 'account.no_passkeys')), keys, more,
    el('h3', {}, t('account.password')), button(t('account.change_password'), { testid: 'change-password', press: change }),
    el('h3', {}, t('account.stays')), places, button(t('account.everywhere'), { testid: 'sign-out-everywhere', press: leaveAll })));
  node.addEventListener('toggle', () => node.open && refresh());

  async function refresh() {
    if (!node.isConnected) return;
    try {
      const [own, where] = await Promise.all([passkeys(), stays()]);
      keys.replaceChildren(...(own.items.length ? own.items.map(passkeyLine) : [el('li', { class: 'hint' }, t('account.none'))]));
      places.replaceChildren(...where.items.slice(0, 10).map(stayLine));
    } catch (caught) {
      keys.replaceChildren(el('li', { class: 'problem', role: 'alert' }, excuse(caught)));
    }
  }

  function passkeyLine(one) {
    const used = one.used_at ? t('account.used', { when: format.dateTime(one.used_at) }) : t('account.unused');
    return el('li', { class: 'row' }, el('span', { class: 'grow' }, one.label), el('span', { class: 'hint' }, used),
      button(t('account.remove'), { kind: 'quiet', 'aria-label': t('account.remove_named', { name: one.label }), press: () => doing(() => removePasskey(one.id)) }));
  }

  function stayLine(one) {
    const over = one.ended !== null;
    return el('li', { class: 'row' }, el('span', { class: 'grow' }, t(METHODS[one.method] ?? 'account.by_password'), ' · ', format.dateTime(one.began_at), ' · ', one.address),
      one.this ? badge(t('account.here'), 'ok') : badge(t(over ? 'account.over' : 'account.on')),
      !over && !one.this && button(t('account.end'), { kind: 'quiet', 'aria-label': t('account.end_named', { when: format.dateTime(one.began_at) }), press: () => doing(() => endStay(one.id)) }));
  }

  async function doing(act) {
    try {
      await act();
    } catch (caught) {
      toast(excuse(caught), 'warn');
    }
    await refresh();
  }

  /** `coded`: it takes an administrator's code. */
  async function add(coded = false) {
    const code = textInput({ required: true, maxlength: 40, autocomplete: 'one-time-code', autocapitalize: 'characters', spellcheck: 'false', testid: 'passkey-code' });
    // A role that one does not act in now may take a code as well, which only the server knows.
    const orCode = (problem) => {
      if (coded || problem.code !== CODE_NEEDED) throw problem;
      return CODE_NEEDED;
    };
    const label = textInput({ required: true, maxlength: 60, value: t('account.this_device'), testid: 'passkey-label' });
    const fields = [coded && field(t('account.code'), code, t('account.code_hint')).node, field(t('account.label'), label).node].filter(Boolean);
    const made = await ask({ title: t('account.add_passkey'), body: [el('p', {}, t('account.add_text')), ...fields],
      label: t('account.add'), testid: 'confirm-passkey', explain: excuse, focus: coded ? code : label,
      confirm: () => addPasskey(label.value.trim(), coded ? code.value.trim() : '').catch(orCode) });
    if (made === CODE_NEEDED) return add(true);
    if (made) toast(t('account.added'));
    await refresh();
    return Boolean(made);
  }

  async function change() {
    const old = el('input', { class: 'input', type: 'password', required: true, maxlength: 128, autocomplete: 'current-password' });
    const fresh = newPassword('changed-password');
    const done = await ask({ title: t('account.change_password'), body: [field(t('account.old'), old).node, field(t('password.new'), fresh, t('password.rule')).node],
      label: t('account.change'), explain: excuse, focus: old, confirm: async () => { await changePassword(old.value, fresh.value); return true; } });
    if (done) toast(t('account.changed'));
    await refresh();
  }

  async function leaveAll() {
    const done = await ask({ title: t('account.everywhere'), body: [el('p', {}, t('account.everywhere_text'))], label: t('account.everywhere'),
      testid: 'confirm-everywhere', explain: excuse, confirm: async () => { await signOutEverywhere(); return true; } });
    if (done) location.reload();
  }

  return { node, refresh, add };
}
