/** How far somebody is in a project, or all its learners: what counts of what is asked. */
import './hours-texts.js';
import './progress-texts.js';
import { badge } from './badge.js';
import { barChart } from './bars.js';
import { length } from '../lib/hours.js';
import { t } from '../lib/i18n.js';

const STATES = { finished: ['progress.finished', 'ok'], unfinished: ['progress.unfinished', 'warn'], unknown: ['progress.unknown', 'neutral'] };

export const stateText = (state) => t(STATES[state][0]);
export const progressBadge = (state) => badge(stateText(state), STATES[state][1]);

/** Bars of [{ name, counted_s, required_s }]; where hours are asked a whole bar is all of them. */
export function farChart(label) {
  const chart = barChart({ label, empty: t('hours.nothing') });
  return { node: chart.node, set: (rows) => chart.set(rows.map(bar), 100) };
}

function bar({ name, person, counted_s: counted, required_s: required }) {
  const share = required ? Math.min(100, (100 * counted) / required) : 100;
  const text = required ? t('progress.of', { counted: length(counted), required: length(required) }) : length(counted);
  const parts = [{ value: share, tone: required ? 'good' : 'plain', name: t('hours.credited') }];
  return { name: name || person, text, parts };
}
