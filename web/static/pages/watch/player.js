/** The picture with its watermark, its words and its bar: one box, which is what fills the screen. */
import { button } from '../../components/button.js';
import { el, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { timeline } from './timeline.js';

export const SPEEDS = [0.5, 0.75, 1, 1.25, 1.5, 2];
const SLOW_MS = 600; // a wait that short needs no words

export function player({ video, playback, captions, chapters, gaps, durationMs }) {
  const words = el('p', { class: 'stage-words' });
  const advice = el('p', { class: 'stage-advice' });
  const actions = el('div', { class: 'row' });
  const curtain = el('div', { class: 'stage-curtain gone', role: 'status', 'aria-live': 'polite' }, words, advice, actions);
  const picture = el('div', { class: 'stage' }, video, curtain);
  const line = timeline({ durationMs, chapters, gaps, seek: (ms) => playback.seek(ms) });
  const time = el('span', { class: 'watch-time figure', testid: 'time' });
  const speed = el('select', { testid: 'speed', on: { change: () => faster(0) } },
    SPEEDS.map((rate) => el('option', { value: rate }, `${rate}×`)));
  speed.value = '1';
  const play = swap({ off: ['watch.play', 'play'], on: ['watch.pause', 'pause'], testid: 'play', press: () => playback.toggle() });
  const mute = swap({ off: ['watch.mute', 'sound'], on: ['watch.unmute', 'soundOff'], testid: 'mute', press: () => silence() });
  const subtitles = captions && swap({ off: ['watch.captions', 'captions'], on: ['watch.no_captions', 'captionsOff'], testid: 'captions', press: () => caption() });
  const full = swap({ off: ['watch.full', 'full'], on: ['watch.leave_full', 'fit'], testid: 'full', press: () => fullScreen() });
  const node = el('div', { class: 'watch-player', testid: 'player' }, picture, el('div', { class: 'watch-bar' }, line.node,
    el('div', { class: 'watch-buttons' }, play.node, mute.node, time,
      el('label', { class: 'watch-speed' }, el('span', { class: 'watch-speed-text' }, t('watch.speed')), speed), subtitles?.node, full.node)));
  let slow = null;
  let said = false;
  let captioned = false;

  /** Words over the picture that stay until others are said; null takes them away. */
  function say(text, hint = '', ...buttons) {
    said = text !== null;
    write(text, hint, buttons);
  }

  function write(text, hint = '', buttons = []) {
    curtain.classList.toggle('gone', !text);
    setText(words, text ?? '');
    setText(advice, hint);
    actions.replaceChildren(...buttons);
  }

  function silence() {
    video.muted = !video.muted;
    mute.set(video.muted);
  }

  function caption() {
    if (!captions) return;
    captioned = !captioned;
    captions.show(captioned);
    subtitles.set(captioned);
  }

  function faster(steps) {
    const index = Math.min(SPEEDS.length - 1, Math.max(0, SPEEDS.indexOf(Number(speed.value)) + steps));
    speed.value = String(SPEEDS[index]);
    playback.rate = SPEEDS[index];
  }

  /** The box and not the video, so that the watermark stays; where boxes cannot, it fills the window. */
  async function fullScreen() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else if (node.requestFullscreen) await node.requestFullscreen().catch(() => fill());
    else fill();
  }

  function fill() {
    full.set(node.classList.toggle('filling'));
  }

  document.addEventListener('fullscreenchange', () => full.set(document.fullscreenElement === node));
  playback.on('state', () => {
    play.set(playback.playing);
    clearTimeout(slow);
    if (said) return;
    if (playback.waiting) slow = setTimeout(() => { if (!said && playback.waiting) write(t('watch.loading')); }, SLOW_MS);
    else write(null);
  });

  function show(atMs, chapter) {
    line.show(atMs, chapter);
    setText(time, `${format.elapsed(atMs)} / ${format.elapsed(durationMs)}`);
  }

  show(0, null);
  return { node, picture, say, show, silence, caption, faster, fullScreen };
}

/** A button that changes its word and picture with its state. */
function swap({ off, on, testid, press }) {
  const make = ([text, symbol], state) => button(t(text), { symbol, press, testid, 'data-state': state });
  const [first, second] = [make(off, 'off'), make(on, 'on')];
  second.hidden = true;
  const node = el('span', {}, first, second);
  const set = (state) => {
    const [shown, gone] = state ? [second, first] : [first, second];
    const focused = document.activeElement === gone;
    shown.hidden = false;
    gone.hidden = true;
    if (focused) shown.focus();
  };
  return { node, set };
}
