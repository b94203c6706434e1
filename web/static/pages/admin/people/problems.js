/** What the refusals of people and classes mean; whatever else is refused, as everywhere. */
import { t } from '../../../lib/i18n.js';
import { explain } from '../../../lib/problems.js';

const SENTENCES = {
  bad_name: 'people.bad_name', bad_phone: 'people.bad_phone', bad_uscc: 'people.bad_uscc', bad_day: 'people.bad_day', already_there: 'people.already_there',
  archived: 'people.is_archived', wrong_step: 'people.wrong_step', unknown_person: 'people.unknown_person', unknown_enterprise: 'people.unknown_enterprise',
  unknown_group: 'people.unknown_group', formula: 'people.formula', name_missing: 'people.name_missing', not_told_apart: 'people.not_told_apart',
  row_twice: 'people.row_twice', student_no_twice: 'people.student_no_twice', phone_of_another: 'people.phone_of_another', number_of_another: 'people.number_of_another', bad_identity_number: 'people.bad_identity_number',
  ambiguous_person: 'people.ambiguous_person',
  too_long: 'people.too_long', bad_text: 'people.bad_text', bad_encoding: 'people.bad_encoding', bad_csv: 'people.bad_csv', bad_xlsx: 'people.bad_xlsx',
  macros: 'people.macros', too_large: 'people.too_large', too_many_rows: 'people.too_many_rows', no_rows: 'people.no_rows', no_header: 'people.no_header',
  column_twice: 'people.column_twice', lesson_begun: 'people.lesson_begun', project_repeated: 'people.project_repeated', subsidy_repeated: 'people.subsidy_repeated',
  not_archived: 'people.not_archived', still_enrolled: 'people.still_enrolled',
};

export function say(problem) {
  const key = SENTENCES[problem?.code];
  return key ? t(key) : explain(problem);
}
