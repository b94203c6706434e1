/** Screening as an administrator sees it: policies, lists of words, how often it was right, models, drills. */
import './screening-texts.js';
import { tabs } from '../../components/tabs.js';
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { drillsPanel } from './drills.js';
import { listsPanel } from './lists.js';
import { modelsPanel } from './models.js';
import { policiesPanel } from './policies.js';
import { precisionPanel } from './precision.js';

export function screeningSection() {
  const panels = { policies: policiesPanel(), lists: listsPanel(), precision: precisionPanel(), models: modelsPanel(), drills: drillsPanel() };
  const names = { policies: 'policy.title', lists: 'lists.title', precision: 'precision.title', models: 'models.title', drills: 'drills.title' };
  const views = tabs(t('screening.title'), Object.entries(panels).map(([name, { node }]) => ({ name, text: t(names[name]), panel: node })),
    { changed: (name) => panels[name].refresh() });
  const node = el('section', { class: 'screening' }, el('div', { class: 'section-head' }, el('h2', {}, t('screening.title'))), views.node);
  return { node, refresh: () => panels[views.current()].refresh() };
}
