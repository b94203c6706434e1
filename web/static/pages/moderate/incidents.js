/** Incidents as a timeline: what was seen, when, what was done, and a person's word on it. */
import { badge } from '../../components/badge.js';
import { kindSign, subject } from '../../components/category.js';
import { measureName } from '../../components/measure.js';
import { timeline } from '../../components/timeline.js';
import { toast } from '../../components/toast.js';
import { get, post } from '../../lib/api.js';
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { incidentDetail } from './incident.js';

const TONES = { open: 'danger', confirmed: 'warn', dismissed: 'ok' };
const STATES = { open: 'incident.open', confirmed: 'incident.confirmed', dismissed: 'incident.dismissed' };

/** The server's word on one incident, and what follows when somebody decides. */
export async function decide(entry, outcome, { note = '', whitelist = false } = {}) {
  const wish = { outcome, ...(note ? { note } : {}), ...(whitelist ? { whitelist } : {}) };
  return post(`/incidents/${encodeURIComponent(entry.id)}/decision`, wish);
}

/** `changed(incident)` hears of decisions made here; `withClass` names the class of each; `focused(incident)`. */
export function incidentList({ label, empty, withClass = false, changed = () => {}, focused = null }) {
  const decideQuietly = async (entry, outcome) => {
    try {
      changed(await decide(entry, outcome));
      toast(t(outcome === 'confirmed' ? 'incident.upheld' : 'incident.released'));
    } catch (problem) {
      toast(explain(problem), 'warn');
    }
  };
  return timeline({
    label, empty, focused, draw: (entry) => draw(entry, withClass), open,
    keys: { x: (entry) => decideQuietly(entry, 'confirmed'), a: (entry) => decideQuietly(entry, 'dismissed') },
  });

  async function open(entry) {
    try {
      return incidentDetail(await get(`/incidents/${encodeURIComponent(entry.id)}`), changed);
    } catch (problem) {
      return el('p', { class: 'problem' }, explain(problem));
    }
  }
}

function draw({ at_ms: at, title, kind, category, score, action, state, count, name, text, appealed }, withClass) {
  const about = subject({ kind, category });
  const times = count > 1 ? ` ×${format.count(count)}` : '';
  return {
    time: format.clockExact(at), tone: TONES[state] ?? 'ok',
    head: [el('span', { class: 'timeline-title' }, `${about}${kind === 'blind' ? '' : ` ${format.percent(score)}`}${times}`),
      el('span', { class: 'hint row' }, withClass && title ? el('span', {}, title) : '', kind === 'blind' ? '' : kindSign(kind), name ? el('span', {}, name) : '',
        el('span', {}, measureName(action))),
      text ? el('q', { class: 'timeline-quote' }, text) : ''],
    aside: [badge(t(STATES[state] ?? 'incident.open'), state === 'open' ? 'danger' : state === 'confirmed' ? 'warn' : 'ok'),
      appealed && badge(t('incident.appealed'), 'warn')],
  };
}

/** An incident of the REST interface in the shape of the control message. */
export function asMessage({ at, evidence, appeal, ...rest }) {
  return { ...rest, at_ms: format.toMs(at), evidence: Boolean(evidence), appealed: Boolean(appeal) };
}
