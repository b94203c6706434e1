/** Is this file the recording that was sealed? Hashed here, compared here, nothing is uploaded. */
import { button } from '../../components/button.js';
import { field } from '../../components/field.js';
import { icon } from '../../components/icon.js';
import { MOST_BYTES, sha256Hex } from '../../lib/digest.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';

export function verifyCard() {
  let known = [];
  let wanted = null;
  const file = el('input', { class: 'input', type: 'file', accept: 'video/mp4,.mp4', on: { change: () => check() } });
  const target = el('p', { class: 'hint', role: 'status' }, t('verify.any'));
  const anyButton = button(t('verify.any_button'), { kind: 'quiet', hidden: true, press: () => against(null) });
  const progress = el('progress', { max: 1, value: 0, hidden: true, 'aria-label': t('verify.reading') });
  const verdict = el('div', { class: 'verdict', role: 'status', 'aria-live': 'polite' });
  const node = el('section', { class: 'panel card', id: 'verify' }, el('h2', {}, t('verify.title')),
    el('p', {}, t('verify.text')), el('div', { class: 'row' }, target, anyButton),
    field(t('verify.file'), file, t('verify.file_hint')).node, progress, verdict);

  /** From now on compare with this recording alone; null compares with all of them. */
  function against(row) {
    wanted = row;
    setText(target, row ? t('verify.with', { name: row.title || row.lesson, time: format.dateTime(row.started_at) }) : t('verify.any'));
    anyButton.hidden = row === null;
    verdict.replaceChildren();
    node.scrollIntoView({ block: 'nearest' });
    file.focus();
    if (file.files.length) check();
  }

  async function check() {
    const [chosen] = file.files;
    if (!chosen) return;
    if (!globalThis.crypto?.subtle) say('unsure', t('verify.insecure'));
    else if (chosen.size > MOST_BYTES) say('unsure', t('verify.too_large', { size: format.size(MOST_BYTES), name: chosen.name }));
    else await hashAndCompare(chosen);
  }

  async function hashAndCompare(chosen) {
    verdict.replaceChildren();
    progress.hidden = false;
    try {
      compare(await sha256Hex(chosen, (share) => { progress.value = share; }), chosen);
    } catch {
      say('unsure', t('verify.unreadable', { name: chosen.name }));
    } finally {
      progress.hidden = true;
    }
  }

  function compare(hash, chosen) {
    const found = known.find((row) => row.sha256?.toLowerCase() === hash && (!wanted || row.id === wanted.id));
    if (found) {
      say('good', t('verify.same', { name: found.title || found.lesson, id: found.id }), [[t('verify.file_hash'), hash]]);
      return;
    }
    const rows = [[t('verify.file_hash'), hash]];
    if (wanted) rows.push([t('verify.sealed_hash'), wanted.sha256]);
    const size = wanted && wanted.size !== chosen.size ? ` ${t('verify.size_differs', { mine: format.count(chosen.size), sealed: format.count(wanted.size) })}` : '';
    say('bad', (wanted ? t('verify.different', { name: wanted.title || wanted.lesson }) : t('verify.none')) + size, rows);
  }

  function say(tone, text, rows = []) {
    const signs = { good: 'ok', bad: 'close', unsure: 'warn' };
    verdict.className = `verdict ${tone}`;
    verdict.replaceChildren(el('p', { class: 'verdict-line' }, icon(signs[tone]), text),
      el('dl', { class: 'about' }, rows.flatMap(([name, hash]) => [el('dt', {}, name), el('dd', { class: 'hash' }, hash)])));
  }

  return { node, against, know: (rows) => { known = rows; } };
}
