/** A check that asks for a photo of the face: what is taken and why first, and always a question instead. */
import { el, setText } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';
import { closeCamera, openCamera, takePhoto } from '../lib/snapshot.js';
import { button, relabel } from './button.js';
import { agreedToPhotos } from './photo-consent.js';

const CAMERA = { refused: 'check.camera_refused', missing: 'check.camera_missing', busy: 'check.camera_busy' };

/** The camera opens by a tap only and closes with the photo, with the form, and with `stop()`. */
export function faceForm(checks) {
  const preview = el('video', { class: 'face-preview', muted: true, autoplay: true, playsinline: true, hidden: true, 'aria-label': t('check.preview') });
  const problem = el('p', { class: 'problem', role: 'alert' });
  const go = button(t('check.open_camera'), { kind: 'primary', symbol: 'camera', testid: 'challenge-submit', press: () => (stream ? take() : open()) });
  const instead = button(t('check.instead'), { testid: 'challenge-instead', press: () => checks.instead() });
  go.classList.add('large');
  const about = el('p', {}, t('check.face_text'));
  const node = el('div', { class: 'face' }, el('h3', {}, t('check.face')), about, preview, problem, go, instead);
  let stream = null;
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
    close();
    if (photo) await checks.photo(photo);
  }

  function close() {
    closeCamera(stream);
    stream = null;
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
    if (!on) close();
  }

  return { node, enable, stop };
}
