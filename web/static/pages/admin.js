/** The administrator's page: lessons and their links, classes, people, attendance, recordings, screening, the ledger's head. */
import './admin/texts.js';
import { attendanceSection } from '../components/attendance.js';
import { laterSection } from '../components/later.js';
import { tabs } from '../components/tabs.js';
import { topbar } from '../components/topbar.js';
import { el, mount } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { bearer, setupToken } from '../lib/session.js';
import { ledgerCard } from '../components/ledger.js';
import { lessonsSection } from './admin/lessons.js';
import { recordingsSection } from '../components/recordings-table.js';
import { setupForm } from './admin/setup.js';

/** What each of three administrators sees here; the server decides what they may. */
const DUTIES = {
  system: ['lessons', 'classes', 'people', 'accounts', 'attendance', 'statistics', 'recordings', 'questions'], security: ['accounts', 'screening'], audit: ['audit', 'ledger'],
};

function draw() {
  const bar = topbar(t('admin.title'));
  if (setupToken()) {
    mount(bar.node, el('main', { class: 'narrow', tabindex: '-1' }, setupForm(draw)));
    return;
  }
  const lessons = lessonsSection();
  const attendance = attendanceSection({ changes: true });
  const recordings = recordingsSection();
  const questions = laterSection(async () => (await import('./admin/questions.js')).questionsSection());
  const ledger = ledgerCard();
  const statistics = laterSection(async () => (await import('./admin/statistics.js')).statisticsSection());
  const screening = laterSection(async () => (await import('./admin/screening.js')).screeningSection());
  const classes = laterSection(async () => (await import('./admin/people/sections.js')).classesSection());
  const people = laterSection(async () => (await import('./admin/people/sections.js')).peopleSection());
  const accounts = laterSection(async () => (await import('./admin/accounts.js')).accountsSection());
  const audit = laterSection(async () => (await import('./admin/audit.js')).auditSection());
  const sections = { lessons, classes, people, accounts, attendance, statistics, recordings, questions, screening, audit, ledger };
  const duties = DUTIES[bearer().role] ?? Object.keys(sections);
  const nav = tabs(t('admin.sections'), [
    { name: 'lessons', text: t('admin.lessons'), panel: lessons.node },
    { name: 'classes', text: t('admin.classes'), panel: classes.node },
    { name: 'people', text: t('admin.people'), panel: people.node },
    { name: 'accounts', text: t('admin.accounts'), panel: accounts.node },
    { name: 'attendance', text: t('hours.attendance'), panel: attendance.node },
    { name: 'statistics', text: t('admin.statistics'), panel: statistics.node },
    { name: 'recordings', text: t('admin.recordings'), panel: recordings.node },
    { name: 'questions', text: t('admin.questions'), panel: questions.node },
    { name: 'screening', text: t('screening.title'), panel: screening.node },
    { name: 'audit', text: t('admin.audit'), panel: audit.node },
    { name: 'ledger', text: t('ledger.title'), panel: ledger.node },
  ].filter(({ name }) => duties.includes(name)), { vertical: true, changed: (name) => sections[name].refresh() });
  mount(bar.node, el('main', { class: 'desk', tabindex: '-1' }, nav.node));
  sections[nav.current()].refresh();
}

draw();
// Drawn: for tests and for support.
document.documentElement.dataset.page = 'admin';
