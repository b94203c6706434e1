/** What a refused request means to the person, and what to do: one sentence for each stable code. */
import { t } from './i18n.js';

const SENTENCES = {
  network: 'problem.network',
  token_missing: 'problem.token_missing',
  token_invalid: 'problem.token_invalid',
  token_expired: 'problem.token_expired',
  session_ended: 'problem.session_ended',
  forbidden: 'problem.forbidden',
  unknown_lesson: 'problem.unknown_lesson',
  lesson_cut: 'problem.lesson_cut',
  lesson_ended: 'problem.lesson_ended',
  lesson_full: 'problem.lesson_full',
  person_removed: 'problem.person_removed',
  rate_limited: 'problem.rate_limited',
  chat_off: 'problem.chat_off',
  chat_muted: 'problem.chat_muted',
  appealed: 'problem.appealed',
  evidence_gone: 'problem.evidence_gone',
  text_refused: 'problem.text_refused',
  class_archived: 'problem.class_archived',
  class_not_approved: 'problem.class_not_approved',
  class_too_large: 'problem.class_too_large',
  instructors_missing: 'problem.instructors_missing',
  not_enrolled: 'problem.not_enrolled',
  not_assigned: 'problem.not_assigned',
  lexicon_invalid: 'problem.lexicon_invalid',
  second_person_needed: 'problem.second_person_needed',
  chat_too_long: 'problem.chat_too_long',
  no_common_codec: 'problem.no_common_codec',
  not_cut: 'problem.not_cut',
  setup_used: 'problem.setup_used',
  no_connection: 'problem.no_connection',
  connection_lost: 'problem.connection_lost',
};

export function explain(problem) {
  const key = SENTENCES[problem?.code];
  return key ? t(key) : t('problem.other', { code: problem?.code ?? '?' });
}
