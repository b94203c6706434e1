import { el, setText, uniqueId } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';
import { button } from './button.js';
import { categoryName } from './category.js';
import { chatLine, heldLine, settle } from './chat-line.js';
import { textInput } from './field.js';

const MOST_LINES = 300;
const LONGEST = 500;
const ECHO_MS = 10_000;

/**
 * The class's chat: `send({ text, ref })` returns false when nothing is connected. Feed it with `history`, `add`,
 * `remove`, `refuse`, `hold` (an own line that waits for a moderator), `warn`; `enable(false, why)` closes the field and
 * says why; `follow(messages)` does all that from a lesson's control messages. `act(message)` may give each line a
 * button, `object(incident)` lets a person object to a line that was not shown, `before` stands over the lines.
 */
export function chat({ send, unseen = null, act = null, object = null, before = null }) {
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

  /** The server has answered for `ref`; whether anybody waited for it. */
  function answered(ref) {
    const waiting = ref && pending.get(ref);
    if (!waiting) return null;
    clearTimeout(waiting.timer);
    pending.delete(ref);
    return waiting;
  }

  function add(message) {
    const mine = answered(message.ref);
    const known = lines.get(message.id);
    if (known && !known.held) return;
    put(message.id, { node: chatLine(message, act?.(message)) }, mine);
  }

  function put(id, line, toEnd) {
    const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    const known = lines.get(id);
    if (known) known.node.replaceWith(line.node);
    else log.append(line.node);
    lines.set(id, line);
    while (lines.size > MOST_LINES) drop(lines.keys().next().value);
    empty.hidden = true;
    if (atEnd || toEnd) log.scrollTop = log.scrollHeight;
    if (node.closest('[hidden]')) unseen?.();
  }

  function drop(id) {
    lines.get(id)?.node.remove();
    lines.delete(id);
    empty.hidden = lines.size > 0;
  }

  /** Taken away; an own line that never was shown stays, with what became of it. */
  function remove(id) {
    const line = lines.get(id);
    if (line?.held) settle(line, object);
    else drop(id);
  }

  function hold(notice) {
    const mine = answered(notice.ref);
    if (!lines.has(notice.id)) put(notice.id, heldLine(notice), mine);
    setText(status, '');
  }

  function warn({ category, ref }) {
    answered(ref);
    setText(status, t('chat.warned', { category: categoryName(category) }));
  }

  /** The server did not take it: the words go back into the field, so that nothing is lost. */
  function refuse(ref, why) {
    const waiting = answered(ref);
    if (!waiting) return;
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
    const was = !input.disabled;
    input.disabled = !on;
    post.disabled = !on;
    if (on !== was || !on) setText(status, on ? '' : why);
  }

  function follow(messages) {
    messages.on('joined', (message) => history(message.chat ?? []));
    messages.on('chat', add);
    messages.on('chat_removed', ({ id }) => remove(id));
    messages.on('error', (problem) => refuse(problem.ref, explain(problem)));
    messages.on('notice', (notice) => {
      if (notice.code === 'chat_held') hold(notice);
      else if (notice.code === 'chat_warned') warn(notice);
    });
  }

  return { node, add, remove, refuse, history, enable, follow };
}
