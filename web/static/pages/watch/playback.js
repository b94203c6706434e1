/**
 * One time line over several files, which `reels.js` names. Times are milliseconds from the recording's start.
 * Events: `time`, `state`, `failed`.
 */
import { Emitter } from '../../lib/emitter.js';

export class Playback extends Emitter {
  #video;
  #list = [];
  #piece = null;
  /** The time that is on its way, while a file is being opened for it. */
  #wanted = null;
  #rate = 1;
  playing = false;
  waiting = true;

  constructor(video) {
    super();
    this.#video = video;
    const on = (type, listener) => video.addEventListener(type, listener);
    on('loadedmetadata', () => this.#arrive());
    on('timeupdate', () => this.#follow());
    on('seeked', () => this.emit('time'));
    on('ended', () => this.#next());
    on('error', () => { if (video.getAttribute('src')) this.emit('failed'); });
    on('waiting', () => this.#wait(true));
    for (const type of ['loadeddata', 'playing', 'canplay', 'seeked']) on(type, () => this.#wait(false));
    // Headphones pulled out, another player, the system's own keys.
    on('pause', () => { if (this.#wanted === null && !video.ended && !video.error) this.#play(false); });
    on('play', () => this.#play(true));
  }

  get durationMs() { return this.#list.at(-1)?.to ?? 0; }

  get atMs() {
    if (this.#wanted !== null) return this.#wanted;
    return this.#piece ? Math.min(this.durationMs, this.#piece.offset + this.#video.currentTime * 1000) : 0;
  }

  get offsetMs() { return this.#piece?.offset ?? 0; }

  set rate(rate) {
    this.#rate = rate;
    this.#video.playbackRate = rate;
  }

  /** Opens these files, at the time that was last shown. */
  open(list) {
    const at = this.atMs;
    this.#list = list;
    this.#piece = null;
    this.seek(at);
  }

  seek(ms) {
    if (!this.#list.length) return;
    const wanted = Math.min(Math.max(0, ms), this.durationMs);
    const piece = this.#list.find(({ to }) => wanted < to) ?? this.#list.at(-1);
    const at = Math.max(wanted, piece.from); // a file that is not here yet is passed over
    const same = this.#piece?.url === piece.url && this.#piece.offset === piece.offset;
    this.#piece = piece;
    if (same && this.#wanted === null) this.#video.currentTime = (at - piece.offset) / 1000;
    else this.#wanted = at;
    if (!same) {
      this.#wait(true);
      this.#video.src = piece.url;
    }
    this.emit('time');
  }

  toggle() {
    if (this.playing) {
      this.#play(false);
      this.#video.pause();
    } else {
      if (this.atMs >= this.durationMs - 50) this.seek(0);
      this.#play(true);
      if (this.#wanted === null) this.#start();
    }
  }

  #arrive() {
    const at = this.#wanted ?? this.#piece.from;
    this.#wanted = null;
    this.#video.playbackRate = this.#rate;
    const seconds = (at - this.#piece.offset) / 1000;
    // Where it stands there already nothing is sought: the poster stays until it plays.
    if (Math.abs(this.#video.currentTime - seconds) > 0.001) this.#video.currentTime = seconds;
    if (this.playing) this.#start();
    this.emit('time');
  }

  #start() {
    // Refused when nobody has touched the page yet: then it waits for the button.
    this.#video.play().catch(() => { if (this.#video.paused && this.#wanted === null) this.#play(false); });
  }

  #follow() {
    if (this.#wanted === null && this.#piece && this.playing && this.atMs >= this.#piece.to) this.#next();
    this.emit('time');
  }

  #next() {
    const next = this.#list[this.#list.indexOf(this.#piece) + 1];
    if (!next) {
      this.#video.pause();
      this.#play(false);
    } else if (next.url === this.#piece.url && next.offset === this.#piece.offset) {
      this.#piece = next;
    } else {
      this.seek(next.from);
    }
  }

  #play(playing) {
    if (this.playing === playing) return;
    this.playing = playing;
    this.emit('state');
  }

  #wait(waiting) {
    if (this.waiting === waiting) return;
    this.waiting = waiting;
    this.emit('state');
  }
}
