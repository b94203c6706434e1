/** Does this bundle prove what it says? Read and checked here, nothing is uploaded. */
import './texts.js';
import { field } from '../../components/field.js';
import { verdict } from '../../components/verdict.js';
import { checkBundle, Misfit } from '../../lib/bundle/check.js';
import { MOST_BYTES } from '../../lib/digest.js';
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { misfitWords } from './misfits.js';

export function bundleCard() {
  const file = el('input', { class: 'input', type: 'file', accept: 'application/zip,.zip', testid: 'bundle-file', on: { change: check } });
  const progress = el('progress', { max: 1, value: 0, hidden: true, 'aria-label': t('inspect.checking') });
  const found = verdict('bundle-verdict');
  const node = el('section', { class: 'panel card', id: 'bundle' }, el('h3', {}, t('inspect.check_title')), el('p', {}, t('inspect.check_text')),
    field(t('inspect.check_file'), file, t('inspect.check_hint')).node, progress, found.node);

  async function check() {
    const [chosen] = file.files;
    if (!chosen) return;
    if (!globalThis.crypto?.subtle) found.say('unsure', t('verify.insecure'));
    else if (chosen.size > MOST_BYTES) found.say('unsure', t('verify.too_large', { size: format.size(MOST_BYTES), name: chosen.name }));
    else await reckon(chosen);
  }

  async function reckon(chosen) {
    found.clear();
    progress.hidden = false;
    try {
      const bytes = new Uint8Array(await chosen.arrayBuffer());
      proven(chosen.name, await checkBundle(bytes, (share) => { progress.value = share; }));
    } catch (problem) {
      if (problem instanceof DOMException) found.say('unsure', t('verify.unreadable', { name: chosen.name }));
      else refused(chosen.name, problem);
    } finally {
      progress.hidden = true;
    }
  }

  function proven(name, report) {
    const of = report.title || report.lesson;
    const unchecked = report.places.some(({ stamp }) => stamp && !stamp.checked);
    const text = report.person === null ? t('inspect.fits', { name, of }) : t('inspect.fits_person', { name, of, person: report.person });
    const rows = [
      [t('inspect.entries'), t('inspect.entries_of', { n: format.count(report.entries), all: format.count(report.head.size) })],
      [t('inspect.signed_at'), format.dateTime(report.head.at_ms)],
      [t('inspect.hours'), t(report.provisional ? 'inspect.hours_provisional' : 'inspect.hours_settled', { n: report.hours.learners })],
      [t('inspect.reckoned'), t('inspect.reckoned_same', { told: format.count(report.hours.credited_s), here: format.count(report.hours.reckoned_s) })],
      ...report.recordings.map(({ id, sha256 }) => [t('inspect.video', { id }), sha256]),
      [t('inspect.witnesses'), report.witnesses.length
        ? report.witnesses.map((one) => t('inspect.witness', { name: one.name, n: format.count(one.size), time: format.dateTime(one.at_ms) })).join(' ')
        : t(report.places.some(({ stamp }) => stamp?.checked) ? 'inspect.stamped_only' : 'inspect.no_witness')],
      ...report.places.flatMap(places),
      [t('inspect.log'), report.head.log],
    ];
    found.say(unchecked ? 'unsure' : 'good', unchecked ? t('inspect.unchecked', { name, of }) : text, rows);
  }

  function places({ stamp, key, sha256, size }) {
    const n = format.count(size);
    if (!stamp) return [[t('inspect.kept_outside'), key === undefined ? t('inspect.kept_somehow', { n }) : t('inspect.kept', { n, key, sha256 })]];
    const { atMs, authority, certificate, checked } = stamp;
    const words = t(checked ? 'inspect.stamped' : 'inspect.stamped_unchecked', { n, time: format.dateTime(atMs), authority });
    return [[t('inspect.kept_outside'), words], [t('inspect.stamped_by', { authority }), certificate]];
  }

  function refused(name, problem) {
    const words = problem instanceof Misfit ? misfitWords(problem) : t('inspect.misfit_other');
    const rows = problem instanceof Misfit
      ? [[t('inspect.part'), problem.member || name], ...(problem.place ? [[t('inspect.place'), problem.place]] : [])] : [];
    found.say('bad', t('inspect.does_not_fit', { name, words }), rows);
  }

  return { node };
}
