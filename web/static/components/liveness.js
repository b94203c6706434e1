/** What the models advise about two photos of a check, for the person who decides. */
import './checked-texts.js';
import { t } from '../lib/i18n.js';

const WAYS = { left: 'checked.left', right: 'checked.right' };
const ALIVE = { yes: 'checked.alive_yes', no: 'checked.alive_no' };

/** A sentence, or '' where there was no second photo. */
export function livenessWords(found) {
  if (!found || found.why === 'not_measured') return '';
  const { alive, why, asked, yaw, distance } = found;
  if (!(alive in ALIVE) || !yaw) return t('checked.alive_unknown');
  const apart = (distance / 100).toFixed(2);
  if (why === 'another_face') return t('checked.another_face', { figures: apart });
  const [before, after] = yaw;
  return t(ALIVE[alive], { figures: t('checked.turned', { asked: t(WAYS[asked]), before, after, distance: apart }) });
}
