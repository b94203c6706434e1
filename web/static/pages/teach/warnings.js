/** Everything the instructor must notice, each under its own name so that it goes when it is over. */
import { button } from '../../components/button.js';
import { categoryName } from '../../components/category.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';
import { cutByScreening } from '../../lib/screening.js';

const MICROPHONE = {
  refused: 'device.microphone_refused', missing: 'device.microphone_missing', busy: 'device.microphone_busy',
  unplugged: 'device.microphone_unplugged',
};
const LEVELS = {
  chat: 'cut.told.chat', picture: 'cut.told.picture', pause: 'cut.told.pause', lesson: 'cut.told.lesson', person: 'cut.told.lesson',
};
const OUTAGE_SHOWN_MS = 20_000;

export function teachNotices(broadcast, notes) {
  let outage = null;
  let told = null;

  function outageWords() {
    if (broadcast.outageMs !== told) {
      told = broadcast.outageMs;
      outage = told;
      setTimeout(() => {
        outage = null;
        notes.set('outage', null);
      }, OUTAGE_SHOWN_MS);
    }
    return outage === null ? null : t('teach.outage', { n: (outage / 1000).toFixed(1) });
  }

  return function warn() {
    const { phase, cut, lesson, online, publisher, devices } = broadcast;
    const live = phase === 'live';
    const link = publisher.link.state;
    const cutOff = phase !== 'ended' && (cut || lesson.state === 'cut');
    const found = cutByScreening(cut?.reason);
    const reason = found ? t('cut.reason_screening_of', { category: categoryName(found) }) : cut?.reason ? t('cut.reason', { reason: cut.reason }) : '';
    notes.set('cut', cutOff ? `${t(LEVELS[cut?.level] ?? 'cut.told.lesson')} ${reason}` : null, { tone: 'danger', testid: 'cut-notice' });
    notes.set('back', phase === 'setup' && lesson.state === 'live' ? t('teach.still_live') : null);
    notes.set('held_back', live && broadcast.screening.heldBack && !cutOff ? t('teach.held_back') : null, { testid: 'held-back' });
    notes.set('node', live && broadcast.cutOff ? t('teach.cut_off') : null, { tone: 'danger' });
    notes.set('muted', broadcast.screening.muted ? t('teach.muted_chat') : null);
    const retry = live && link.name === 'retrying';
    notes.set('link', retry ? t('teach.republishing', { why: explain(link.problem), n: Math.max(1, Math.round(link.in_ms / 1000)) }) : null);
    notes.set('outage', retry ? null : outageWords(), { tone: 'good' });
    notes.set('socket', live && !online && !cutOff ? t('teach.chat_lost') : null);
    const deaf = live && MICROPHONE[devices.problems.microphone];
    notes.set('microphone', deaf ? t(deaf) : live && !broadcast.microphoneOn ? t('teach.muted') : null);
    const action = button(t('learn.take_over'), { press: () => location.reload() });
    notes.set('replaced', phase === 'replaced' ? t('teach.replaced') : null, { action });
  };
}
