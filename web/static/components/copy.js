import { t } from '../lib/i18n.js';
import { button } from './button.js';
import { toast } from './toast.js';
import { el } from '../lib/dom.js';

/** Copies `text`; `what` names it to screen readers. */
export function copyButton(text, what) {
  return button(t('action.copy'), { kind: 'quiet', symbol: 'copy', 'aria-label': `${t('action.copy')}: ${what}`, press: () => copy(text) });
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Without a secure context there is no clipboard object; the old way still works there.
    const area = el('textarea', { class: 'unseen', value: text });
    (document.querySelector('dialog[open]') ?? document.body).append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  toast(t('action.copied'));
}
