import { el, setText } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { t } from '../lib/i18n.js';

const ROLES = {
  instructor: 'role.instructor', learner: 'role.learner', moderator: 'role.moderator',
  admin: 'role.admin', inspector: 'role.inspector',
};

/** Who is in the class; `act(person)` may give each learner's row a button. */
export function roster({ act = null } = {}) {
  const list = el('ul', { class: 'roster', testid: 'roster', 'aria-label': t('roster.label') });
  const more = el('p', { class: 'hint' });
  const node = el('div', { class: 'roster-box' }, list, more);

  function set({ people, viewers }) {
    list.replaceChildren(...people.map((person) => el('li', {},
      el('span', { class: 'person-name' }, person.name || person.person),
      el('span', { class: 'hint' }, t(ROLES[person.role] ?? 'role.learner'), ' · ', format.clock(person.joined_at_ms)),
      person.role === 'learner' && act?.(person))));
    const learners = people.filter(({ role }) => role === 'learner').length;
    if (!people.length) setText(more, t('roster.empty'));
    else setText(more, viewers > learners ? t('roster.more', { n: format.count(viewers - learners) }) : '');
  }

  set({ people: [], viewers: 0 });
  return { node, set };
}
