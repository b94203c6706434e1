/**
 * One lesson's LL-HLS in a video element: by hls.js (kept in `vendor/`) wherever there is a MediaSource, by the system's
 * own player on iPhones, which have none. What fails is begun anew.
 */
import { backoffMs } from './backoff.js';
import { token } from './session.js';

const HLS_JS = '/static/vendor/hls/hls.light.min.mjs';
const TYPE = 'application/vnd.apple.mpegurl';
/** A player that has gone on for so long is whole again. */
const STEADY_MS = 10_000;
/** How often is looked whether there is a picture by now. */
const LOOK_MS = 3000;
/** A player so far behind live has missed what to do about it. */
const LOST_S = 12;
const CONFIG = {
  lowLatencyMode: true,
  enableWorker: false,
  backBufferLength: 10,
  maxLiveSyncPlaybackRate: 1.2,
  liveDurationInfinity: true,
  // Each time it has run dry it stays so much further behind (s): one part and a little, and not a second for a hiccup.
  liveSyncOnStallIncrease: 0.4,
};

const isNative = () => !globalThis.MediaSource && document.createElement('video').canPlayType(TYPE) !== '';

/** Whether this browser can play it at all. */
export const canPlay = () => isNative() || Boolean(globalThis.MediaSource ?? globalThis.ManagedMediaSource);

export class Player {
  #lesson;
  #ready;
  #video = null;
  #mode = 'none';
  #hls = null;
  /** Counts what was begun: what is not the newest has nothing to say. */
  #turn = 0;
  #failures = 0;
  #timers = [];

  /** `ready()` is called whenever there is something to play. */
  constructor(lesson, ready) {
    this.#lesson = lesson;
    this.#ready = ready;
  }

  get behindMs() {
    const seconds = this.#hls?.latency;
    return seconds ? seconds * 1000 : null;
  }

  /** `mode`: `video`, `audio` (less data, or no picture to be had) or `none`. */
  show(video, mode) {
    if (video === this.#video && mode === this.#mode) return;
    this.#video = video;
    this.#mode = mode;
    this.#failures = 0;
    this.#open();
  }

  stop() {
    this.#mode = 'none';
    this.#close();
  }

  async #open() {
    this.#close();
    if (this.#mode === 'none') return;
    const turn = this.#turn;
    if (isNative()) {
      this.#native(turn);
      return;
    }
    try {
      const { default: Hls } = await import(HLS_JS);
      if (turn === this.#turn) this.#begin(Hls, turn);
    } catch {
      this.#fail(turn);
    }
  }

  #close() {
    this.#turn += 1;
    this.#timers.splice(0).forEach(clearTimeout);
    this.#hls?.destroy();
    this.#hls = null;
    // Not even the last picture stays.
    if (this.#video?.getAttribute('src')) {
      this.#video.removeAttribute('src');
      this.#video.load();
    }
  }

  #address(name) {
    return `/hls/${encodeURIComponent(this.#lesson)}/${name}.m3u8?token=${encodeURIComponent(token())}`;
  }

  get #name() {
    return this.#mode === 'video' ? 'index' : 'audio';
  }

  #native(turn) {
    this.#video.src = this.#address(this.#name);
    this.#video.addEventListener('error', () => this.#fail(turn), { once: true });
    this.#ready();
  }

  #begin(Hls, turn) {
    const hls = new Hls(CONFIG);
    this.#hls = hls;
    hls.on(Hls.Events.ERROR, (_, { fatal }) => fatal && this.#fail(turn));
    hls.on(Hls.Events.MANIFEST_PARSED, (_, { levels }) => {
      this.#ready();
      if (this.#mode === 'video' && !levels.some(({ width }) => width)) this.#awaitPicture(turn);
    });
    hls.loadSource(this.#address(this.#name));
    hls.attachMedia(this.#video);
    this.#later(STEADY_MS, () => { this.#failures = 0; });
    this.#watch(turn);
  }

  /** A page that was asleep wakes far behind live, or where nothing is kept any more. */
  #watch(turn) {
    this.#later(LOOK_MS, () => {
      if (turn !== this.#turn) return;
      if (this.#hls?.latency > LOST_S) this.#open();
      else this.#watch(turn);
    });
  }

  /** There was sound alone when it began: look until there is a picture too. */
  #awaitPicture(turn) {
    this.#later(LOOK_MS, async () => {
      const listed = await fetch(this.#address('index')).then((answer) => answer.text()).catch(() => '');
      if (turn !== this.#turn) return;
      if (listed.includes('RESOLUTION=')) this.#open();
      else this.#awaitPicture(turn);
    });
  }

  #fail(turn) {
    if (turn !== this.#turn) return;
    this.#close();
    this.#later(backoffMs(this.#failures, 4000), () => this.#open());
    this.#failures += 1;
  }

  #later(ms, act) {
    this.#timers.push(setTimeout(act, ms));
  }
}
