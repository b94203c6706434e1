/** What each kind of thing is made of, as data: the fields of its form, in order, and the columns of its list. */
import { t } from '../../../lib/i18n.js';

/** The words of enumerations: value → key. */
export const WORDS = {
  kind: { provider: 'people.provider', enterprise: 'people.enterprise', operator: 'people.operator', regulator: 'people.regulator' },
  form: { live: 'people.live', recorded: 'people.recorded', offline: 'people.offline', mixed: 'people.mixed' },
  preset: { default: 'people.preset_none', 'beijing-gjj-2020': 'people.preset_gjj', 'beijing-qihang-2023': 'people.preset_qihang', fujian: 'people.preset_fujian' },
  programmes: { 'preset-2023': 'people.kept_2023', subsidised: 'people.kept_subsidised' },
  approval: { draft: 'people.draft', submitted: 'people.submitted', approved: 'people.approved', refused: 'people.refused' },
  role: { lecturer: 'people.lecturer', assistant: 'people.assistant', invigilator: 'people.invigilator' },
  status: { enrolled: 'people.enrolled', left: 'people.left', assigned: 'people.assigned', released: 'people.released', active: 'people.active', archived: 'people.archived' },
};

export const word = (of, value) => (WORDS[of][value] ? t(WORDS[of][value]) : '–');

const text = (name, label, more = {}) => ({ name, label, type: 'text', most: 60, ...more });
const day = (name, label) => ({ name, label, type: 'date' });
const number = (name, label, hint = null) => ({ name, label, type: 'number', most: 10_000, hint });
const choice = (name, label, words, hint = null) => ({ name, label, type: 'choice', words, hint });
const area = (name, label) => ({ name, label, type: 'area' });
const of = (name, label, path, more = {}) => ({ name, label, type: 'pick', path, ...more });

/** `fixed` fields are said once, when something is made. `columns`: fields shown in the list. */
export const KINDS = {
  organisations: {
    title: 'people.organisations', add: 'people.add_organisation',
    fields: [
      choice('kind', 'people.kind', 'kind'), text('name', 'people.name', { required: true }), text('short_name', 'people.short_name'),
      text('uscc', 'people.uscc', { most: 24, hint: 'people.uscc_hint' }), text('legal_person', 'people.legal_person'), text('contact_name', 'people.contact_name'),
      text('contact_phone', 'people.contact_phone', { most: 30 }), text('region_code', 'people.region_code', { most: 20 }), text('address', 'people.address', { most: 200 }),
      text('industry_direction', 'people.industry', { most: 100 }), text('scale', 'people.scale', { most: 40 }), day('valid_from', 'people.valid_from'), day('valid_to', 'people.valid_to'),
    ],
    columns: ['name', 'kind', 'uscc', 'region_code', 'valid_to'],
  },
  projects: {
    title: 'people.projects', add: 'people.add_project',
    fields: [
      text('code', 'people.code', { required: true }), text('name', 'people.name', { required: true, most: 200 }), of('provider', 'people.provider', 'organisations'),
      choice('preset', 'people.preset', 'preset', 'people.preset_hint'), { name: 'zone', label: 'portal.zone', type: 'flag' },
      { name: 'programmes', label: 'people.kept', type: 'flags', words: 'programmes' }, text('catalogue_code', 'people.catalogue_code'),
      text('industry_direction', 'people.industry', { most: 100 }), text('occupation_code', 'people.occupation', { most: 40 }), text('level', 'people.level', { most: 40 }),
      choice('content_form', 'people.form', 'form'), number('required_lesson_hours', 'people.required_hours', 'people.zero_hint'), number('class_size', 'people.class_size', 'people.zero_hint'),
      area('goal', 'people.goal'), area('audience', 'people.audience'),
    ],
    columns: ['code', 'name', 'preset', 'zone'],
  },
  courses: {
    title: 'people.courses', add: 'people.add_course',
    fields: [
      text('code', 'people.code', { required: true }), text('name', 'people.name', { required: true, most: 200, fixed: true, hint: 'people.course_name_hint' }),
      of('project', 'people.project', 'projects'), choice('mode', 'people.form', 'form'), number('planned_lesson_hours', 'people.planned_hours'), area('outline', 'people.outline'),
    ],
    columns: ['code', 'name', 'mode', 'planned_lesson_hours'],
  },
  classes: {
    title: 'people.classes', add: 'people.add_class',
    fields: [
      text('number', 'people.number', { required: true }), text('name', 'people.name', { required: true, most: 200 }),
      of('project', 'people.project', 'projects', { required: true, fixed: true }), of('enterprise', 'people.enterprise', 'organisations'), text('term', 'people.term'),
      day('starts_on', 'people.starts_on'), day('ends_on', 'people.ends_on'), text('plan_no', 'people.plan_no'), of('head_teacher', 'people.head_teacher', 'persons'),
      number('capacity', 'people.class_size', 'people.zero_hint'),
    ],
    columns: ['number', 'name', 'term', 'starts_on', 'approval'],
    labels: { approval: 'people.approval' },
  },
  persons: {
    title: 'people.persons', add: 'people.add_person',
    fields: [text('name', 'people.person_name', { required: true }), text('phone', 'people.phone', { most: 30 }), of('enterprise', 'people.enterprise', 'organisations')],
    columns: ['name', 'phone', 'id'],
    labels: { id: 'people.id' },
  },
};

const fieldOf = (kind, name) => KINDS[kind].fields.find((one) => one.name === name);

export const labelOf = (kind, name) => t(KINDS[kind].labels?.[name] ?? fieldOf(kind, name).label);

/** What the list shows of a field. */
export function shown(kind, name, row) {
  const value = row[name];
  const field = fieldOf(kind, name);
  if (name === 'approval') return word('approval', value);
  if (field?.type === 'choice') return word(field.words, value);
  if (typeof value === 'boolean') return value ? t('people.yes') : '–';
  return value === 0 || value === '' ? '–' : String(value);
}
