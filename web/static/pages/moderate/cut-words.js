/** A cut in words: what was cut, when, by whom, and how long it took until nobody saw anything. */
import { categoryName } from '../../components/category.js';
import { LEVEL_NAMES } from '../../components/level.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { cutByScreening } from '../../lib/screening.js';

/** Who cuts when no person does. */
const SCREENING = 'screening';

export const levelName = (level) => t(LEVEL_NAMES[level] ?? 'level.lesson');

/** At least one: no time is too short to be told. */
const ms = (value) => format.count(Math.max(1, Math.ceil(value)));

/** `measured` of a cut (docs/PROTOCOL.md section 3) in words; null until it is known. */
export function measuredWords(measured) {
  if (!measured) return null;
  const { viewers, flags_ms: flags, dark_ms: dark } = measured;
  if (dark === null || dark === undefined) return t('cut.dark_unknown');
  if (!viewers) return t('cut.dark_nobody', { n: ms(flags ?? dark) });
  return t('cut.dark_all', { n: ms(dark), viewers: format.count(viewers) });
}

export function cutWords(lesson, mine) {
  if (!lesson.cut) return null;
  const { level, reason, at_ms: at, by, by_name: name, measured, restore } = lesson.cut;
  const found = cutByScreening(reason);
  const who = by === SCREENING ? t('cut.by_screening') : name || by;
  return [
    t('cut.done', { level: levelName(level), time: format.clockExact(at) }),
    who && t('cut.by', { name: who }),
    measuredWords(measured) ?? (mine && t('cut.dark', { n: ms(mine.dark_ms ?? mine.answer_ms) })),
    mine && t('cut.answered', { n: ms(mine.answer_ms) }),
    found ? t('cut.reason_screening_of', { category: categoryName(found) }) : reason && t('cut.reason', { reason }),
    restore && t('restore.waits', { name: restore.by_name || restore.by, time: format.clockExact(restore.expires_at_ms) }),
  ].filter(Boolean).join(' ');
}
