/** A check that asks for a photo of the face: what is taken and why first, and always a question instead. */
import { el, setText } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';
import { closeCamera, openCamera, takePhoto } from '../lib/snapshot.js';
import { button, relabel } from './button.js';
import { agreedToPhotos } from './photo-consent.js';

/** The preview is a mirror: one's own left is on the left. */
const WAYS = { left: ['← ', 'check.turn_left'], right: ['→ ', 'check.turn_right'] };
const CAMERA = { refused: 'check.camera_refused', missing: 'check.camera_missing', busy: 'check.camera_busy' };

/**
 * The camera opens by a tap only and closes with the last photo, with the form, and with `stop()`. `turn`: which way the
 * head is turned for a second photo, 'left' or 'right'; it helps who has to decide, and may be left out.
 */
export function faceForm(checks, turn = null) {
  const preview = el('video', { class: 'face-preview', muted: true, autoplay: true, playsinline: true, hidden: true, 'aria-label': t('check.preview') });
  const problem = el('p', { class: 'problem', role: 'alert' });
  const go = button(t('check.open_camera'), { kind: 'primary', symbol: 'camera', testid: 'challenge-submit', press: () => (stream ? take() : open()) });
  const alone = button(t('check.alone'), { testid: 'challenge-alone', press: () => send() });
  const instead = button(t('check.instead'), { testid: 'challenge-instead', press: () => checks.instead() });
  go.classList.add('large');
  const about = el('p', {}, t('check.face_text'));
  const way = el('p', { class: 'face-turn', role: 'status', testid: 'challenge-turn' });
  const node = el('div', { class: 'face' }, el('h3', {}, t('check.face')), about, way, preview, problem, go, alone, instead);
  let stream = null;
  let straight = null;
  let stopped = false;

  async function open() {
    setText(problem, '');
    try {
      if (!(await agreedToPhotos()) || stopped) return;
      const opened = await openCamera();
      if (stopped) {
        closeCamera(opened);
        return;
      }
      stream = opened;
      preview.srcObject = stream;
      preview.hidden = false;
      about.hidden = true;
      await preview.play();
      relabel(go, t('check.take'));
      go.scrollIntoView({ block: 'end' });
    } catch (caught) {
      if (!stopped) setText(problem, caught.message in CAMERA ? t(CAMERA[caught.message]) : explain(caught));
    }
  }

  async function take() {
    if (!preview.videoWidth || !checks.open) return;
    const photo = await takePhoto(preview);
    if (!photo || straight || !(turn in WAYS)) {
      await send(photo);
      return;
    }
    straight = photo;
    const [arrow, words] = WAYS[turn];
    way.replaceChildren(el('span', { 'aria-hidden': 'true' }, arrow), t(words));
    relabel(go, t('check.take_second'));
    alone.hidden = false;
    go.scrollIntoView({ block: 'end' });
  }

  /** `photo`: the only one, or the second. */
  async function send(photo = null) {
    const [one, other] = straight ? [straight, photo] : [photo, null];
    close();
    if (one) await checks.photo(one, other);
  }

  function close() {
    closeCamera(stream);
    stream = null;
    straight = null;
    alone.hidden = true;
    way.replaceChildren();
    preview.srcObject = null;
    preview.hidden = true;
    about.hidden = false;
    relabel(go, t('check.open_camera'));
  }

  function stop() {
    stopped = true;
    close();
  }

  function enable(on) {
    go.disabled = !on;
    instead.disabled = !on;
    alone.disabled = !on;
    if (!on) close();
  }

  alone.hidden = true;
  return { node, enable, stop };
}
