/** People and classes as sections of the administrator's page. */
import './texts.js';
import { tabs } from '../../../components/tabs.js';
import { el } from '../../../lib/dom.js';
import { t } from '../../../lib/i18n.js';
import { identityDialog } from './identity.js';
import { openedClass } from './opened-class.js';
import { shelf } from './shelf.js';

/** All classes; one of them opened. */
export function classesSection() {
  const list = shelf('classes', { open });
  const inside = el('div', { hidden: true });
  const node = el('div', {}, list.node, inside);
  let opened = null;

  async function open(row) {
    opened = openedClass(row, close);
    inside.replaceChildren(opened.node);
    list.node.hidden = true;
    inside.hidden = false;
    await opened.refresh();
    opened.focus();
  }

  async function close() {
    opened = null;
    inside.hidden = true;
    list.node.hidden = false;
    await list.refresh();
  }

  return { node, refresh: () => (opened ?? list).refresh() };
}

/** Persons, organisations, projects and courses, each in a tab. */
export function peopleSection() {
  const shelves = { persons: shelf('persons', { open: identityDialog, opens: 'identity.open' }), organisations: shelf('organisations'), projects: shelf('projects'), courses: shelf('courses') };
  const names = { persons: 'people.persons', organisations: 'people.organisations', projects: 'people.projects', courses: 'people.courses' };
  const views = tabs(t('people.title'), Object.entries(shelves).map(([name, { node }]) => ({ name, text: t(names[name]), panel: node })),
    { changed: (name) => shelves[name].refresh() });
  return { node: el('section', { class: 'people' }, views.node), refresh: () => shelves[views.current()].refresh() };
}
