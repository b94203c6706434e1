/** What went wrong with signing in, in one sentence; everything else as on other pages. */
import { t } from './i18n.js';
import { explain } from './problems.js';

const SENTENCES = {
  sign_in_refused: 'signin.refused',
  too_many_attempts: 'signin.too_many',
  busy: 'signin.busy',
  signed_out: 'signin.signed_out',
  sign_in_again: 'signin.again',
  passkey_needed: 'signin.passkey_needed',
  link_used: 'signin.link_used',
  oidc_refused: 'signin.oidc_refused',
  oidc_unknown_person: 'signin.oidc_unknown',
  oidc_unavailable: 'signin.oidc_unavailable',
  passkey_exists: 'signin.passkey_exists',
  passkey_refused: 'signin.passkey_refused',
  passkey_code_needed: 'signin.code_needed',
  passkey_code_refused: 'signin.code_refused',
  has_passkey: 'signin.has_passkey',
  too_many_passkeys: 'signin.passkeys_full',
  account_exists: 'signin.account_exists',
  staff_account: 'signin.staff_account',
  same_person: 'signin.same_person',
};
const WEAK = { short: 'weak.short', long: 'weak.long', plain: 'weak.plain', repeated: 'weak.repeated', named: 'weak.named', known: 'weak.known' };
/** What browsers throw when a passkey was not shown, or is there already. */
const BROWSER = { NotAllowedError: 'signin.passkey_left', InvalidStateError: 'signin.passkey_exists' };

export function excuse(problem) {
  const { code, name, detail, retryAfterMs: wait } = typeof problem === 'string' ? { code: problem } : problem;
  if (name in BROWSER) return t(BROWSER[name]);
  if (code === 'password_weak' && detail in WEAK) return t(WEAK[detail]);
  if (code === 'too_many_attempts' && wait) return t('signin.locked', { n: Math.ceil(wait / 60_000) });
  return code in SENTENCES ? t(SENTENCES[code]) : explain(problem);
}
