import { el } from '../lib/dom.js';
import { t } from '../lib/i18n.js';

/** A section that is loaded when it is first opened: { node, refresh() }. */
export function laterSection(load) {
  const node = el('div', {}, el('p', { class: 'empty', role: 'status' }, t('action.opening')));
  let section = null;

  async function refresh() {
    section ??= load();
    const made = await section;
    if (made.node.parentNode !== node) node.replaceChildren(made.node);
    made.refresh();
  }

  return { node, refresh };
}
