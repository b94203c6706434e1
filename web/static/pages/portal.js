/** The front page: sign in, my lessons, the zone, and how to get in by a link. */
import '../components/sign-in-texts.js';
import { button } from '../components/button.js';
import { toast } from '../components/toast.js';
import { topbar } from '../components/topbar.js';
import { signOut, ways } from '../lib/account.js';
import { el, mount } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { goTo, passwordLink, renew } from '../lib/session.js';
import { excuse } from '../lib/sign-in-problems.js';
import { passwordForm } from './portal/password.js';
import { signInForm } from './portal/sign-in.js';

const WAYS = [
  ['portal.learner', 'portal.learner_text'], ['portal.instructor', 'portal.instructor_text'], ['portal.staff', 'portal.staff_text'],
];
/** The pages that a role over all lessons works on. */
const OFFICES = {
  admin: ['admin', 'moderate', 'inspect'], system: ['admin'], security: ['moderate', 'admin'], audit: ['admin'], moderator: ['moderate'], inspector: ['inspect'],
};
const WORK = { admin: 'office.admin', moderate: 'office.moderate', inspect: 'office.inspect' };
const ROLES = {
  instructor: 'role.instructor', admin: 'role.admin', system: 'role.system', security: 'role.security', audit: 'role.audit', moderator: 'role.moderator', inspector: 'role.inspector',
};
const NEEDS = { password: 'needs.password', separate: 'needs.separate' };

/** The code that the way back from the identity provider ended with, if it failed. */
function takeProblem() {
  const fragment = new URLSearchParams(location.hash.slice(1));
  if (fragment.has('problem') || fragment.has('signed-in')) history.replaceState(null, '', location.pathname + location.search);
  return fragment.get('problem');
}

function welcome(problem, offered) {
  const form = passwordLink() ? passwordForm(() => { welcome(null, offered); toast(t('password.saved')); }) : signInForm(home, offered, problem);
  const bar = topbar(t('portal.title'));
  mount(bar.node, el('main', { class: 'portal welcome', tabindex: '-1' },
    el('section', { class: 'hero' }, el('h2', { class: 'zone', lang: 'zh-CN' }, t('portal.zone')), el('p', {}, t('portal.zone_text')), el('p', { class: 'lead' }, t('portal.lead'))),
    form,
    el('section', { class: 'ways', 'aria-labelledby': 'enter' }, el('h2', { id: 'enter' }, t('portal.enter')),
      el('ol', { class: 'cards' }, WAYS.map(([name, text]) => el('li', { class: 'panel card' }, el('h3', {}, t(name)), el('p', {}, t(text))))))));
  drawn('welcome');
}

async function home(session) {
  const [{ lessonsSection }, { accountSection }, { secondFactor }] = await Promise.all([
    import('./portal/lessons.js'), import('./portal/account.js'), import('./portal/second-factor.js')]);
  const leave = button(t('signin.out'), { kind: 'quiet', testid: 'sign-out', press: out });
  const bar = topbar(t('portal.title'), el('span', { class: 'who', testid: 'who' }, session.name), leave);
  // Who reads the log is in no class; who has yet to show a passkey sees nothing before.
  const lessons = ['audit', 'registering'].includes(session.role) ? null : lessonsSection();
  const account = accountSection();
  const offices = OFFICES[session.role] ?? [];
  const acts = t(ROLES[session.account_role ?? 'instructor']);
  mount(bar.node, el('main', { class: 'portal', tabindex: '-1' },
    session.needs.filter((need) => need !== 'code').map((need) => need === 'passkey' ? secondFactor(acts, session.needs.includes('code'), account.add, home)
      : el('p', { class: 'notice danger', role: 'status', testid: `needs-${need}` }, t(NEEDS[need], { role: acts }))),
    offices.length > 0 && el('section', { class: 'mine', 'aria-labelledby': 'offices' }, el('h2', { id: 'offices' }, t('mine.offices', { role: t(ROLES[session.role]) })),
      el('div', { class: 'row' }, offices.map((page) => button(t(WORK[page]), { kind: 'primary', testid: `office-${page}`, press: () => goTo(`/${page}`) })))),
    lessons?.node, session.role !== 'registering' && account.node));
  document.querySelector('main').focus();
  drawn('home');
  await lessons?.refresh();
}

async function out() {
  try {
    await signOut();
    welcome(null, await ways());
  } catch (caught) {
    toast(excuse(caught), 'warn');
  }
}

/** For tests and for support. */
function drawn(view) {
  document.documentElement.dataset.page = 'portal';
  document.documentElement.dataset.view = view;
}

async function start() {
  const problem = takeProblem();
  const offered = await ways().catch(() => ({ oidc: null, known: false })); // passwords are there all the same
  const session = offered.known && !passwordLink() ? await renew() : null;
  if (session) await home(session);
  else welcome(problem, offered);
}

start();
// A link to set a password, pasted into a page that is open.
addEventListener('hashchange', () => start());
