/** What the staff did, and what of a person's own it looked at: entries of the ledger, read by who audits. */
import './audit-texts.js';
import { button } from '../../components/button.js';
import { table } from '../../components/table.js';
import { get } from '../../lib/api.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';

const NEWEST = '?limit=200';
const ROLES = {
  system: 'role.system', security: 'role.security', audit: 'role.audit', moderator: 'role.moderator', inspector: 'role.inspector', admin: 'role.admin',
};
const SEEN = {
  account: 'audit.saw_account', accounts: 'audit.saw_accounts', adjustments: 'audit.saw_adjustments', attendance: 'audit.saw_attendance',
  attendance_file: 'audit.saw_attendance_file', checks: 'audit.saw_checks', course_statistics: 'audit.saw_course_statistics',
  entries: 'audit.saw_entries', evidence: 'audit.saw_evidence', hours: 'audit.saw_hours', identity: 'audit.saw_identity',
  incident: 'audit.saw_incident', incident_picture: 'audit.saw_incident_picture', incidents: 'audit.saw_incidents',
  learner_statistics: 'audit.saw_learner_statistics', live: 'audit.saw_live', person: 'audit.saw_person', persons: 'audit.saw_persons',
  persons_file: 'audit.saw_persons_file', photo: 'audit.saw_photo', project_statistics: 'audit.saw_project_statistics',
  proof: 'audit.saw_proof', recording: 'audit.saw_recording', roster: 'audit.saw_roster', roster_file: 'audit.saw_roster_file',
  teachers: 'audit.saw_teachers',
};
const OUTCOME_OK = /^2\d\d$/;

const headed = (key) => el('div', { class: 'section-head' }, el('h3', {}, t(key)));
const worded = (words, name) => (name in words ? t(words[name]) : name || '–');
const who = ({ by, role }) => (role ? `${by} · ${worded(ROLES, role)}` : by);
/** `PUT /policies/{policy}`: without the forms that ids have. */
const act = ({ act: text }) => text.replace('/api/v1', '').replaceAll(/\{(\w+):(?:[^{}]|\{[^{}]*\})*\}/g, '{$1}');
const on = ({ on: named }) => Object.values(named).join(' · ') || '–';
const outcome = ({ outcome: code }) => (!code ? t('audit.no_end') : OUTCOME_OK.test(code) ? t('audit.done') : t('audit.refused', { code }));
const changed = ({ changes }) => changes.map(({ type, index }) => `${type} ${index}`).join(', ') || '–';

const when = { text: t('audit.when'), value: ({ at }) => at, cell: ({ at }) => format.dateTime(at), tight: true };
const person = { text: t('audit.who'), value: who };

export function auditSection() {
  const problem = el('p', { class: 'problem', role: 'alert' });
  const looks = table({
    caption: t('audit.looks'), empty: t('audit.no_looks'), file: 'looks',
    columns: [when, person, { text: t('audit.what'), value: ({ what }) => worded(SEEN, what) },
      { text: t('audit.lesson'), value: ({ lesson }) => lesson ?? '–' }, { text: t('audit.subject'), value: ({ subject }) => subject || '–' }],
  });
  const acts = table({
    caption: t('audit.acts'), empty: t('audit.no_acts'), file: 'acts',
    columns: [when, person, { text: t('audit.act'), value: act }, { text: t('audit.on'), value: on },
      { text: t('audit.outcome'), value: outcome }, { text: t('audit.changes'), value: changed }],
  });
  const node = el('section', { id: 'audit' },
    el('div', { class: 'section-head' }, el('h2', {}, t('audit.title')), button(t('action.refresh'), { symbol: 'restore', press: () => refresh() })),
    el('p', { class: 'hint' }, t('audit.text')), problem,
    headed('audit.looks'), looks.node, headed('audit.acts'), acts.node);

  async function refresh() {
    try {
      const [seen, done] = await Promise.all([get(`/audit/looks${NEWEST}`), get(`/audit/acts${NEWEST}`)]);
      looks.set(seen.items.reverse());
      acts.set(done.items.reverse());
      setText(problem, '');
    } catch (caught) {
      setText(problem, explain(caught));
    }
  }

  return { node, refresh };
}
