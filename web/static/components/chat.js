import { el, setText, uniqueId } from '../lib/dom.js';
import * as format from '../lib/format.js';
import { t } from '../lib/i18n.js';
import { button } from './button.js';
import { textInput } from './field.js';

const MOST_LINES = 300;
const LONGEST = 500;
const ECHO_MS = 10_000;
const ROLES = { instructor: 'role.instructor', moderator: 'role.moderator' };

/**
 * The class's chat: `send({ text, ref })` returns false when nothing is connected. Feed it with `history`,
 * `add`, `remove`, `refuse`; `enable(false, why)` closes the field and says why. `act(message)` may give each line a
 * button; `before` stands over the lines.
 */
export function chat({ send, unseen = null, act = null, before = null }) {
  const lines = new Map();
  const pending = new Map();
  const log = el('div', { class: 'chat-log', testid: 'chat-log', role: 'log', 'aria-live': 'polite',
    'aria-label': t('chat.log'), tabindex: '0' });
  const empty = el('p', { class: 'chat-empty' }, t('chat.empty'));
  const status = el('p', { class: 'chat-status', role: 'status' });
  const input = textInput({ id: uniqueId('chat'), testid: 'chat-input', maxlength: LONGEST, placeholder: t('chat.placeholder'),
    'aria-label': t('chat.label'), enterkeyhint: 'send' });
  const post = button(t('chat.send'), { kind: 'primary', type: 'submit', testid: 'chat-send' });
  const form = el('form', { class: 'chat-form', on: { submit } }, input, post);
  const node = el('section', { class: 'chat', 'aria-label': t('chat.label') },
    before, el('div', { class: 'chat-scroll' }, empty, log), status, form);

  function submit(event) {
    event.preventDefault();
    const text = input.value.trim();
    if (!text) return;
    const ref = crypto.randomUUID?.() ?? String(Math.random()).slice(2);
    if (!send({ text, ref })) {
      setText(status, t('chat.offline'));
      return;
    }
    setText(status, '');
    input.value = '';
    pending.set(ref, { text, timer: setTimeout(() => refuse(ref, t('chat.unanswered')), ECHO_MS) });
  }

  function add(message) {
    const waiting = message.ref && pending.get(message.ref);
    if (waiting) {
      clearTimeout(waiting.timer);
      pending.delete(message.ref);
    }
    if (lines.has(message.id)) return;
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    const line = draw(message, act?.(message));
    lines.set(message.id, line);
    log.append(line);
    while (lines.size > MOST_LINES) remove(lines.keys().next().value);
    empty.hidden = true;
    if (atEnd || waiting) log.scrollTop = log.scrollHeight;
    if (node.closest('[hidden]')) unseen?.();
  }

  function remove(id) {
    lines.get(id)?.remove();
    lines.delete(id);
    empty.hidden = lines.size > 0;
  }

  /** The server did not take it: the words go back into the field, so that nothing is lost. */
  function refuse(ref, why) {
    const waiting = pending.get(ref);
    if (!waiting) return;
    clearTimeout(waiting.timer);
    pending.delete(ref);
    if (!input.value) input.value = waiting.text;
    setText(status, why);
  }

  /** Fills in what is missing; a rejoin does not read the whole conversation out again. */
  function history(messages) {
    log.setAttribute('aria-live', 'off');
    messages.forEach(add);
    log.scrollTop = log.scrollHeight;
    requestAnimationFrame(() => log.setAttribute('aria-live', 'polite'));
  }

  function enable(on, why = '') {
    input.disabled = !on;
    post.disabled = !on;
    setText(status, on ? '' : why);
  }

  return { node, add, remove, refuse, history, enable };
}

function draw({ from, text, at_ms: at }, action) {
  const role = ROLES[from?.role];
  return el('div', { class: role ? 'line staff' : 'line' },
    el('p', { class: 'line-head' }, el('span', { class: 'line-name' }, from?.name || from?.person || ''),
      role && el('span', { class: 'line-role' }, t(role)), el('time', {}, format.clock(at)), action),
    el('p', { class: 'line-text' }, text));
}
