import { el, setText } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { inset } from './inset.js';

/**
 * The picture: one large video (`stage`), a movable second one, words over both when there is nothing to
 * see, and a slot for an overlay. Sound and large picture share one element so that they stay together.
 */
export function stage({ mirrored = false, label }) {
  const video = el('video', { class: 'stage-video', testid: 'stage', playsinline: true, 'aria-label': label });
  const small = inset();
  const words = el('p', { class: 'stage-words' });
  const advice = el('p', { class: 'stage-advice' });
  const curtain = el('div', { class: 'stage-curtain', role: 'status', 'aria-live': 'polite' }, words, advice);
  const overlay = el('div', { class: 'stage-overlay' });
  const node = el('div', { class: mirrored ? 'stage mirrored' : 'stage' }, video, small.node, curtain, overlay);
  let shown = '';

  /** Shows these tracks; an absent picture must not hold back the sound, so it is left out entirely. */
  function show({ audio = null, picture = null, second = null }) {
    const key = [audio, picture].map((track) => track?.id ?? '').join();
    if (key !== shown) {
      shown = key;
      video.srcObject = key === ',' ? null : new MediaStream([audio, picture].filter(Boolean));
    }
    small.show(second);
    return key !== ',';
  }

  /** Words over the picture; null shows the picture. */
  function say(text, hint = '') {
    curtain.classList.toggle('gone', !text);
    setText(words, text ?? '');
    setText(advice, text ? hint : '');
  }

  function fit() {
    node.classList.toggle('cover');
  }

  async function fullScreen() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (node.requestFullscreen) await node.requestFullscreen().catch(() => null);
    else video.webkitEnterFullscreen?.();
  }

  say(t('stage.connecting'));
  return { node, video, overlay, show, say, fit, fullScreen };
}
