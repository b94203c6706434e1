/** The inspector's page: any class in one click, samples by seed, hours with their reasons, proofs, his own log. */
import './inspect/texts.js';
import { attendanceSection } from '../components/attendance.js';
import { laterSection } from '../components/later.js';
import { tabs } from '../components/tabs.js';
import { topbar } from '../components/topbar.js';
import { el, mount } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { lessonButtons } from './inspect/open.js';

const bar = topbar(t('inspect.title'));
const sections = {
  lessons: attendanceSection({ more: lessonButtons }),
  sample: laterSection(async () => (await import('./inspect/sample.js')).sampleSection()),
  recordings: laterSection(async () => (await import('./inspect/recordings.js')).recordingsPanel()),
  proofs: laterSection(async () => (await import('./inspect/proofs.js')).proofsSection()),
  views: laterSection(async () => (await import('./inspect/views.js')).viewsSection()),
};
const nav = tabs(t('inspect.sections'), [
  { name: 'lessons', text: t('inspect.lessons'), panel: sections.lessons.node },
  { name: 'sample', text: t('inspect.sample'), panel: sections.sample.node },
  { name: 'recordings', text: t('admin.recordings'), panel: sections.recordings.node },
  { name: 'proofs', text: t('inspect.proofs'), panel: sections.proofs.node },
  { name: 'views', text: t('inspect.views'), panel: sections.views.node },
], { vertical: true, changed: (name) => sections[name].refresh() });

mount(bar.node, el('main', { class: 'desk', tabindex: '-1' }, nav.node));
sections.lessons.refresh();
// Drawn: for tests and for support.
document.documentElement.dataset.page = 'inspect';
