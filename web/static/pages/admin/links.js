/** The links of a lesson: one for each role at its making, more for learners by name or by number. */
import { button } from '../../components/button.js';
import { copy, copyButton } from '../../components/copy.js';
import { ask, tell } from '../../components/dialog.js';
import { field, select, textInput } from '../../components/field.js';
import { post } from '../../lib/api.js';
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';

const MOST = 500;
const ROLES = [
  ['instructor', 'role.instructor', 'teach'], ['learner', 'role.learner', 'learn'], ['moderator', 'role.moderator', 'moderate'],
  ['inspector', 'role.inspector', 'inspect'],
];

const pathOf = (page, lesson) => (page === 'teach' || page === 'learn' ? `/${page}/${encodeURIComponent(lesson)}` : `/${page}`);

/** A link as people get it. The page's address may come from the server, with or without its token. */
function link(page, lesson, token, given = null) {
  const address = new URL(given ?? pathOf(page, lesson), location.origin);
  address.hash = `token=${token}`;
  return address.href;
}

export function showNewLesson({ id, pages = {}, tokens = {} }, title) {
  const rows = ROLES.filter(([role]) => tokens[role])
    .map(([role, key, page]) => ({ name: t(key), href: link(page, id, tokens[role], pages[page]) }));
  return tell({ title: t('links.made', { title }), wide: true, body: [el('p', {}, t('links.secret')), linkList(rows)] });
}

export async function askLinks(lesson) {
  const role = select(ROLES.map(([value, key]) => [value, t(key)]), { value: 'learner' });
  role.value = 'learner';
  const names = el('textarea', { class: 'input', rows: 6 });
  const number = textInput({ type: 'number', min: 1, max: MOST, value: '1', inputmode: 'numeric' });
  const made = await ask({
    title: t('links.more', { title: lesson.title }), label: t('links.make'), explain: (problem) => (typeof problem === 'string' ? problem : explain(problem)),
    body: [lesson.class && el('p', { class: 'hint' }, t('links.of_class')), field(t('links.role'), role).node, field(t('links.names'), names, t('links.names_hint', { n: MOST })).node,
      field(t('links.number'), number, t('links.number_hint')).node],
    confirm: () => makeLinks(lesson, role.value, names.value, Number(number.value)),
  });
  if (made) await tell({ title: t('links.made', { title: lesson.title }), wide: true, body: [el('p', {}, t('links.secret')), linkList(made)] });
}

async function makeLinks(lesson, role, names, number) {
  const page = ROLES.find(([value]) => value === role)[2];
  const path = `/lessons/${encodeURIComponent(lesson.id)}/tokens`;
  if (lesson.class && role === 'learner') {
    const { people } = await post(path, { role, roster: true });
    return people.map(({ name, token }) => ({ name, href: link(page, lesson.id, token) }));
  }
  const list = names.split('\n').map((name) => name.trim()).filter(Boolean);
  if (list.length > MOST || !(number >= 1 && number <= MOST)) throw t('links.too_many', { n: MOST });
  const rows = [];
  const calls = list.length ? list.map((name) => ({ name, count: 1 })) : [{ name: t(ROLES.find(([value]) => value === role)[1]), count: number }];
  for (const { name, count } of calls) {
    const { tokens } = await post(path, { role, name, count });
    tokens.forEach((token, i) => {
      rows.push({ name: count === 1 ? name : `${name} ${i + 1}`, href: link(page, lesson.id, token) });
    });
  }
  return rows;
}

export function linkList(rows) {
  const all = rows.map(({ name, href }) => `${name}\t${href}`).join('\n');
  return el('div', {},
    el('ul', { class: 'links' }, rows.map(({ name, href }) => el('li', {},
      el('span', { class: 'link-name' }, name), el('a', { class: 'link-address', href, target: '_blank', rel: 'noopener' }, href), copyButton(href, name)))),
    button(t('links.copy_all'), { symbol: 'copy', press: () => copy(all) }));
}
