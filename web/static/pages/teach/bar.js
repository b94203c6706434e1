/** The bar under the stage: what is sent, and the end of the class. */
import { button, relabel } from '../../components/button.js';
import { ask } from '../../components/dialog.js';
import { toast } from '../../components/toast.js';
import { canShareScreen } from '../../lib/devices.js';
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';
import { explain } from '../../lib/problems.js';

export function controlBar(broadcast, { askQuiz }) {
  const { devices } = broadcast;
  const microphone = button('', { symbol: 'mic', press: microphonePressed });
  const camera = button('', { symbol: 'camera', press: () => broadcast.toggleCamera() });
  const screen = button('', { symbol: 'screen', testid: 'share-screen', press: () => broadcast.toggleScreen(), hidden: !canShareScreen() });
  const blank = button('', { symbol: 'blank', press: () => broadcast.toggleBlank() });
  const pause = button('', { symbol: 'pause', press: pausePressed });
  const quiz = button(t('teach.ask'), { symbol: 'hand', testid: 'ask-quiz', press: askQuiz });
  const end = button(t('teach.end'), { symbol: 'stop', kind: 'danger', testid: 'end-lesson', press: endPressed });
  const node = el('div', { class: 'control-bar', role: 'toolbar', 'aria-label': t('teach.controls') },
    microphone, camera, screen, blank, pause, quiz, end);

  async function microphonePressed() {
    if (devices.tracks.microphone) broadcast.toggleMicrophone();
    else await broadcast.choose('microphone', null);
  }

  function pausePressed() {
    if (!broadcast.togglePause()) toast(t('teach.not_connected'), 'warn');
  }

  function endPressed() {
    return ask({
      title: t('teach.end_title'), body: [el('p', {}, t('teach.end_text'))], label: t('teach.end'), kind: 'danger',
      testid: 'end-confirm', explain, confirm: () => broadcast.end(),
    });
  }

  function render() {
    const heard = devices.tracks.microphone && broadcast.microphoneOn;
    turn(microphone, heard, heard ? t('teach.mute') : t('teach.unmute'), heard ? 'mic' : 'micOff');
    const seen = devices.tracks.camera !== null;
    turn(camera, seen, seen ? t('teach.camera_off') : t('teach.camera_on'), seen ? 'camera' : 'cameraOff');
    const shared = broadcast.screen !== null;
    turn(screen, true, shared ? t('teach.unshare') : t('teach.share'), shared ? 'screenOff' : 'screen');
    turn(blank, !broadcast.blank, broadcast.blank ? t('teach.unblank') : t('teach.blank'), 'blank');
    turn(pause, !broadcast.paused, broadcast.paused ? t('teach.resume') : t('teach.pause'), broadcast.paused ? 'play' : 'pause');
  }

  return { node, render };
}

/** A source that is off looks off, besides its words. */
function turn(node, on, label, symbol) {
  relabel(node, label, symbol);
  node.classList.toggle('off', !on);
}
