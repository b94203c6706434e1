/** The microphone's meter: moving means it is heard. */
import { el, setText } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { watchLevel } from '../../lib/sound.js';

const QUIET = 0.18;
const QUIET_AFTER = 40;

export function levelMeter(devices) {
  const fill = el('span', { class: 'level-fill' });
  const meter = el('div', { class: 'level', role: 'meter', 'aria-label': t('device.level'), 'aria-valuemin': '0',
    'aria-valuemax': '100', 'aria-valuenow': '0' }, fill);
  const words = el('p', { class: 'hint' }, t('device.speak'));
  const node = el('div', { class: 'level-box', hidden: true }, meter, words);
  let track = null;
  let stopWatching = null;
  let quiet = 0;

  function tell(level) {
    fill.style.transform = `scaleX(${level.toFixed(2)})`;
    meter.setAttribute('aria-valuenow', String(Math.round(level * 100)));
    quiet = level > QUIET ? 0 : quiet + 1;
    if (!quiet) setText(words, t('device.heard'));
    else if (quiet > QUIET_AFTER) setText(words, t('device.not_heard'));
  }

  function stop() {
    stopWatching?.();
    stopWatching = null;
    track = null;
  }

  function follow() {
    const now = devices.tracks.microphone;
    if (now === track) return;
    stop();
    track = now;
    node.hidden = !now;
    if (now) stopWatching = watchLevel(now, tell);
  }

  return { node, follow, stop };
}
