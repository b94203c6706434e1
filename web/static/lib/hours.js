/** Attendance in words: lengths, statuses, and why a span of time does not count. */
import * as format from './format.js';
import { t } from './i18n.js';

const REASONS = {
  absent: 'reason.absent',
  hidden: 'reason.hidden',
  check_failed: 'reason.check_failed',
  over_plan: 'reason.over_plan',
  lecturer_absent: 'reason.lecturer_absent',
  overlap: 'reason.overlap',
  over_daily_cap: 'reason.over_daily_cap',
  replay: 'reason.replay',
  too_fast: 'reason.too_fast',
};
const STATUSES = { present: 'attended.present', late: 'attended.late', left_early: 'attended.left_early', absent: 'attended.absent' };

const MODES = {
  since_last_pass: 'mode.since_last_pass', window: 'mode.window', jtt_like: 'mode.jtt_like', quota: 'mode.quota',
};

export const checkMode = (name) => (name in MODES ? t(MODES[name]) : name);
export const reason = (name) => (name in REASONS ? t(REASONS[name]) : name);
export const status = (name) => (name in STATUSES ? t(STATUSES[name]) : name);

/** "23 min", "1 h 5 min", and below a minute "40 s". */
export function length(seconds) {
  if (seconds < 60) return t('hours.seconds', { n: Math.floor(seconds) });
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return t('hours.minutes', { n: minutes });
  return t('hours.hours_minutes', { h: format.count(Math.floor(minutes / 60)), n: minutes % 60 });
}

/** Spans from either carrier as [{ from, to, reason, clause }] in milliseconds. */
export const spans = (voids) => voids.map((void_) => ({
  from: format.toMs(void_.from_ms ?? void_.from), to: format.toMs(void_.to_ms ?? void_.to), reason: void_.reason, clause: void_.clause,
}));

/** What was changed by people: seconds, or a check. */
export function changeOf({ delta_s: seconds, challenge, after }) {
  if (challenge) return t(after === 'excused' ? 'hours.excused' : 'hours.unexcused');
  return `${seconds < 0 ? '−' : '+'}${length(Math.abs(seconds))}`;
}
