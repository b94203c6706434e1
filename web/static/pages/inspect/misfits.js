/** What does not fit in a bundle, in words for somebody who is no engineer. */
import { t } from '../../lib/i18n.js';

const WORDS = {
  not_zip: 'inspect.misfit_not_zip',
  missing: 'inspect.misfit_missing',
  format: 'inspect.misfit_format',
  not_canonical: 'inspect.misfit_not_canonical',
  manifest: 'inspect.misfit_manifest',
  keys: 'inspect.misfit_keys',
  head: 'inspect.misfit_head',
  not_sealed: 'inspect.misfit_not_sealed',
  seal: 'inspect.misfit_seal',
  witness: 'inspect.misfit_witness',
  place: 'inspect.misfit_place',
  rewritten: 'inspect.misfit_rewritten',
  entry: 'inspect.misfit_entry',
  entry_lesson: 'inspect.misfit_entry_lesson',
  more_entries: 'inspect.misfit_more_entries',
  tree: 'inspect.misfit_tree',
  root: 'inspect.misfit_root',
  seed: 'inspect.misfit_seed',
  settlement: 'inspect.misfit_settlement',
  share: 'inspect.misfit_share',
  hours: 'inspect.misfit_hours',
  reckoned: 'inspect.misfit_reckoned',
  words: 'inspect.misfit_words',
  recording: 'inspect.misfit_recording',
  fragment: 'inspect.misfit_fragment',
  chain: 'inspect.misfit_chain',
  altered: 'inspect.misfit_altered',
};

export const misfitWords = ({ code, place }) => t(WORDS[code] ?? 'inspect.misfit_other', { place });
