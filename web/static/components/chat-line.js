import { el, setText } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { badge } from './badge.js';
import { button } from './button.js';

const ROLES = { instructor: 'role.instructor', moderator: 'role.moderator' };

/** One line of the chat, with the moderator's button where there is one. */
export function chatLine({ from, text, at_ms: at }, action = null) {
  const role = ROLES[from?.role];
  return el('div', { class: role ? 'line staff' : 'line' },
    el('p', { class: 'line-head' }, el('span', { class: 'line-name' }, from?.name || from?.person || ''),
      role && el('span', { class: 'line-role' }, t(role)), el('time', {}, format.clock(at)), action),
    el('p', { class: 'line-text' }, text));
}

/** An own line that a moderator has to see first; nobody else sees it. */
export function heldLine({ text, at_ms: at, incident }) {
  const state = badge(t('chat.held'), 'warn');
  const hint = el('p', { class: 'hint' }, t('chat.held_hint'));
  const actions = el('div', { class: 'row' });
  const node = el('div', { class: 'line waiting', testid: 'held-line' },
    el('p', { class: 'line-head' }, state, el('time', {}, format.clock(at))),
    el('p', { class: 'line-text' }, text), hint, actions);
  return { node, held: true, incident, state, hint, actions };
}

/** A moderator took the waiting line away: it says so, and how to object. */
export function settle(line, object) {
  setText(line.state, t('chat.refused'));
  setText(line.hint, t('chat.refused_hint'));
  if (!object) return;
  const press = button(t('appeal.open'), { kind: 'quiet', symbol: 'hand', testid: 'object', press: async () => {
    if (await object(line.incident)) press.remove();
  } });
  line.actions.replaceChildren(press);
}
