/** Who may sign in: accounts made, given a role, closed; links by which their owners set the password. */
import './accounts-texts.js';
import './people/texts.js';
import { badge } from '../../components/badge.js';
import { button } from '../../components/button.js';
import { copyButton } from '../../components/copy.js';
import { ask, tell } from '../../components/dialog.js';
import { field, select, textInput } from '../../components/field.js';
import { table } from '../../components/table.js';
import { toast } from '../../components/toast.js';
import { del, getAll, post, put } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { bearer } from '../../lib/session.js';
import { excuse } from '../../lib/sign-in-problems.js';
import { picker } from './people/pick.js';

const MOST = 2000;
const ROLES = {
  system: 'role.system', security: 'role.security', audit: 'role.audit', moderator: 'role.moderator', inspector: 'role.inspector',
};
const WORDS = { ...ROLES, admin: 'role.admin' };
/** Who does what; the server decides. */
const MAKES = new Set(['admin', 'system']);
const GRANTS = new Set(['admin', 'security']);

const roleText = ({ role }) => (role in WORDS ? t(WORDS[role]) : '–');
const pathOf = (row, rest = '') => `/accounts/${encodeURIComponent(row.person)}${rest}`;

export function accountsSection() {
  const { role, person: self } = bearer();
  const problem = el('p', { class: 'problem', role: 'alert' });
  const make = MAKES.has(role) && button(t('accounts.make'), { kind: 'primary', symbol: 'plus', testid: 'make-account', press: create });
  const list = table({
    caption: t('accounts.title'), empty: t('accounts.empty'), file: 'accounts',
    columns: [
      { text: t('accounts.sign_in_name'), value: (row) => row.sign_in_name },
      { text: t('accounts.name'), value: (row) => row.name },
      { text: t('accounts.role'), value: roleText },
      { text: t('accounts.state'), value: state, cell: (row) => badge(state(row), row.closed_at ? 'danger' : row.has_password ? 'ok' : 'warn') },
      { text: t('accounts.passkeys'), value: (row) => row.passkeys, numeric: true },
      { text: t('accounts.made'), value: (row) => row.made_at, cell: (row) => format.day(row.made_at), tight: true },
      { text: t('table.actions'), value: () => '', plain: true, cell: actions },
    ],
  });
  const node = el('section', {}, el('div', { class: 'section-head' }, el('h2', {}, t('accounts.title')), make), el('p', { class: 'hint' }, t('accounts.text')), problem, list.node);

  function state(row) {
    if (row.closed_at) return t('accounts.closed');
    return t(row.has_password ? 'accounts.open' : 'accounts.no_password');
  }

  async function refresh() {
    try {
      list.set(await getAll('/accounts?limit=200', MOST));
      setText(problem, '');
    } catch (caught) {
      setText(problem, excuse(caught));
    }
  }

  async function create() {
    const name = textInput({ required: true, maxlength: 64, autocapitalize: 'none', spellcheck: 'false', testid: 'account-sign-in-name' });
    const shown = textInput({ maxlength: 60, testid: 'account-name' });
    const person = picker(t('accounts.person'), 'persons');
    person.load('').catch(() => null); // a search finds them all the same
    const made = await ask({
      title: t('accounts.make'), label: t('accounts.make_confirm'), testid: 'confirm-account', explain: excuse, focus: name,
      body: [field(t('accounts.sign_in_name'), name, t('accounts.sign_in_hint')).node, person.node, field(t('accounts.staff_name'), shown, t('accounts.staff_hint')).node],
      confirm: () => post('/accounts', { sign_in_name: name.value, ...(person.value() ? { person: person.value() } : { name: shown.value }) }),
    });
    await refresh();
    if (made) await showLink(made, made.link);
  }

  function actions(row) {
    const mine = row.person === self;
    return el('div', { class: 'row' },
      MAKES.has(role) && !mine && act('accounts.link', 'link', row, () => newLink(row)),
      GRANTS.has(role) && !mine && row.role !== 'admin' && act('accounts.give', 'shield', row, () => giveRole(row)),
      GRANTS.has(role) && !mine && !row.closed_at && row.passkeys === 0 && act('accounts.code', 'lock', row, () => giveCode(row)),
      MAKES.has(role) && !mine && row.passkeys > 0 && act('accounts.lost', 'close', row, () => lost(row)),
      MAKES.has(role) && !mine && act(row.closed_at ? 'accounts.reopen' : 'accounts.close', row.closed_at ? 'restore' : 'stop', row, () => close(row)));
  }

  const act = (key, symbol, row, press) => button(t(key), { kind: 'quiet', symbol, 'aria-label': `${t(key)}: ${row.name}`, press });

  async function doing(work) {
    try {
      return await work();
    } catch (caught) {
      toast(excuse(caught), 'warn');
      return null;
    } finally {
      await refresh();
    }
  }

  async function newLink(row) {
    const made = await doing(() => post(pathOf(row, '/link')));
    if (made) await showLink(row, made.link);
  }

  async function giveCode(row) {
    const made = await doing(() => post(pathOf(row, '/passkey-code')));
    if (!made) return;
    await tell({ title: t('accounts.code_of', { name: row.name }), body: [el('p', {}, t('accounts.code_text', { time: format.clock(made.until) })),
      el('div', { class: 'row' }, el('code', { class: 'hash', testid: 'given-code' }, made.code), copyButton(made.code, row.name))] });
  }

  async function giveRole(row) {
    const chosen = select([['', t('accounts.no_role')], ...Object.entries(ROLES).map(([name, key]) => [name, t(key)])], { testid: 'role' });
    chosen.value = row.role ?? '';
    const done = await ask({ title: t('accounts.give_to', { name: row.name }), label: t('accounts.give_confirm'), explain: excuse, focus: chosen, testid: 'confirm-role',
      body: [el('p', {}, t('accounts.give_text')), field(t('accounts.role'), chosen).node], confirm: () => put(pathOf(row, '/role'), { role: chosen.value || null }) });
    if (done) await refresh();
  }

  async function lost(row) {
    const done = await ask({ title: t('accounts.lost'), label: t('accounts.lost_confirm'), kind: 'danger', explain: excuse,
      body: [el('p', {}, t('accounts.lost_text', { name: row.name, n: row.passkeys }))], confirm: () => del(pathOf(row, '/passkeys')) });
    if (done) await refresh();
  }

  const close = (row) => doing(() => put(pathOf(row), { closed: !row.closed_at }));

  return { node, refresh };
}

function showLink(row, link) {
  return tell({ title: t('accounts.link_of', { name: row.name }), wide: true, body: [el('p', {}, t('accounts.link_text')),
    el('div', { class: 'row' }, el('code', { class: 'hash', testid: 'password-link' }, link), copyButton(link, row.name))] });
}
