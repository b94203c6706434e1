/** The front page: what this is and how to get in. */
import { topbar } from '../components/topbar.js';
import { el, mount } from '../lib/dom.js';
import { t } from '../lib/i18n.js';

const WAYS = [
  ['portal.learner', 'portal.learner_text'], ['portal.instructor', 'portal.instructor_text'], ['portal.staff', 'portal.staff_text'],
];

const bar = topbar(t('portal.title'));
mount(bar.node, el('main', { class: 'portal', tabindex: '-1' },
  el('section', { class: 'hero' },
    el('p', { class: 'lead' }, t('portal.lead')),
    el('h2', { class: 'zone', lang: 'zh-CN' }, t('portal.zone')),
    el('p', {}, t('portal.zone_text'))),
  el('section', { class: 'ways', 'aria-labelledby': 'enter' }, el('h2', { id: 'enter' }, t('portal.enter')),
    el('ol', { class: 'cards' }, WAYS.map(([name, text]) => el('li', { class: 'panel card' }, el('h3', {}, t(name)), el('p', {}, t(text)))))),
  el('p', { class: 'hint' }, t('portal.sign_in'))));
// Drawn: for tests and for support.
document.documentElement.dataset.page = 'portal';
