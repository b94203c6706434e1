import { el, uniqueId } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { button } from './button.js';

/**
 * A modal question. Enter in a field or on the focused button confirms, Escape leaves.
 * `confirm()` may throw: the dialog stays and shows what `explain(problem)` says. Resolves with what
 * `confirm` returned, or null when the person left.
 */
export function ask({ title, body = [], confirm, label, kind = 'primary', testid, explain = String, focus = null, wide = false }) {
  const heading = el('h2', { id: uniqueId('dialog') }, title);
  const problem = el('p', { class: 'problem', role: 'alert' });
  const yes = button(label, { kind, type: 'submit', testid });
  const no = button(t('action.cancel'), { press: () => dialog.close() });
  const form = el('form', { method: 'dialog' },
    heading, el('div', { class: 'dialog-body' }, body), problem, el('div', { class: 'dialog-actions' }, no, yes));
  const dialog = el('dialog', { class: wide ? 'dialog wide' : 'dialog', 'aria-labelledby': heading.id }, form);
  let answer = null;
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (yes.disabled) return;
    yes.disabled = true;
    try {
      answer = await confirm();
      dialog.close();
    } catch (caught) {
      problem.textContent = explain(caught);
    } finally {
      yes.disabled = false;
    }
  });
  return show(dialog, () => answer, focus ?? yes);
}

/** A modal that only shows something. */
export function tell({ title, body, wide = false }) {
  const heading = el('h2', { id: uniqueId('dialog') }, title);
  const close = button(t('action.close'), { press: () => dialog.close() });
  const dialog = el('dialog', { class: wide ? 'dialog wide' : 'dialog', 'aria-labelledby': heading.id },
    heading, el('div', { class: 'dialog-body' }, body), el('div', { class: 'dialog-actions' }, close));
  return show(dialog, () => null, close);
}

function show(dialog, answer, focus) {
  document.body.append(dialog);
  dialog.showModal();
  focus.focus();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      resolve(answer());
    });
  });
}

export const dialogOpen = () => document.querySelector('dialog[open]') !== null;
