/** One incident from near: the evidence, what it was measured by, what the instructor says, and the decision. */
import { button } from '../../components/button.js';
import { categoryName, subject } from '../../components/category.js';
import { evidence } from '../../components/evidence.js';
import { field } from '../../components/field.js';
import { el, uniqueId } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { bearer } from '../../lib/session.js';
import { decide } from './incidents.js';

const MOST_NOTE = 500;
const OUTCOMES = { confirmed: 'incident.confirmed', dismissed: 'incident.dismissed' };

/** `incident`: its REST shape; `changed(incident)` after a decision. */
export function incidentDetail(incident, changed) {
  const alt = t('evidence.alt', { category: subject(incident), time: format.clockExact(incident.at) });
  return el('div', { class: 'incident' },
    incident.evidence && evidence({ address: incident.evidence, lines: incident.lines ?? [], alt }),
    incident.text && incident.kind !== 'text' && el('blockquote', { class: 'incident-text' }, incident.text),
    incident.why?.length > 0 && el('p', { class: 'hint' }, t('incident.why', { why: format.list(incident.why) })),
    incident.appeal && el('div', { class: 'notice' }, el('p', { class: 'notice-text' },
      t('incident.appeal', { name: incident.appeal.by_name || incident.appeal.by, time: format.clockExact(incident.appeal.at) }), ' ', el('q', {}, incident.appeal.text))),
    incident.decided && el('p', {}, decidedWords(incident.decided)),
    receipt(incident.receipt),
    decisionForm(incident, changed));
}

function decidedWords({ outcome, note, by, by_name: name, at }) {
  const words = t('incident.decided', { outcome: t(OUTCOMES[outcome] ?? 'incident.open'), name: name || by, time: format.clockExact(at) });
  return note ? `${words} ${t('incident.note_said', { note })}` : words;
}

/** What the decision of the machine rests on, so that anybody can repeat it. */
function receipt(found) {
  if (!found) return null;
  const scores = Object.entries(found.scores_ppm ?? {}).map(([name, ppm]) => `${categoryName(name)} ${format.percent(ppm / 1e6)}`);
  const models = Object.entries({ ...found.models, ...found.lists }).map(([name, hash]) => `${name} ${String(hash).slice(0, 12)}`);
  const rows = [[t('receipt.scores'), scores.join(', ') || '–'],
    [t('receipt.threshold'), found.threshold_ppm === null || found.threshold_ppm === undefined ? '–' : format.percent(found.threshold_ppm / 1e6)],
    [t('receipt.policy'), t('receipt.version', { name: found.policy, n: found.policy_version })],
    [t('receipt.models'), models.join(', ') || '–'], [t('receipt.content'), found.content_sha256 ?? '–']];
  return el('details', { class: 'receipt' }, el('summary', {}, t('receipt.title')),
    el('dl', { class: 'about' }, rows.flatMap(([name, value]) => [el('dt', {}, name), el('dd', { class: 'hash' }, value)])));
}

function decisionForm(incident, changed) {
  const note = el('textarea', { class: 'input', rows: 2, maxlength: MOST_NOTE });
  const white = el('input', { type: 'checkbox', id: uniqueId('white') });
  const mayList = bearer().role === 'admin' && Boolean(incident.text);
  const problem = el('p', { class: 'problem', role: 'alert' });
  const act = async (outcome) => {
    try {
      changed(await decide(incident, outcome, { note: note.value.trim(), whitelist: outcome === 'dismissed' && white.checked }));
    } catch (caught) {
      problem.textContent = explain(caught);
    }
  };
  return el('div', { class: 'decision' }, field(t('incident.note'), note, t('incident.note_hint')).node,
    mayList && el('label', { class: 'check', for: white.id }, white, t('incident.whitelist')), problem,
    el('div', { class: 'row' },
      button(t('incident.uphold'), { kind: 'danger', symbol: 'warn', key: 'X', testid: 'incident-confirm', press: () => act('confirmed') }),
      button(t('incident.release'), { symbol: 'ok', key: 'A', testid: 'incident-dismiss', press: () => act('dismissed') })));
}
