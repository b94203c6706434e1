/**
 * Watching a lesson by whatever way there is: WebRTC first, LL-HLS where that does not come about or the server has
 * no room for it, and back again, without anybody's doing. To the page it is one viewer with one control channel.
 */
import { jittered } from './backoff.js';
import { Emitter } from './emitter.js';
import { Viewer } from './whep.js';

/** How long WebRTC (by UDP, by TCP) is waited for before the other way is begun beside it: at first, and after a loss. */
const FIRST_MS = 2300;
const LATER_MS = 5000;
/** When WebRTC is tried again from the other way: soon, for it may have been slow alone, then ever more rarely. */
const AGAIN_MS = [5_000, 15_000, 60_000];
/** The server has no room for WebRTC at the moment; it invites back. */
const FULL = 'webrtc_full';

/** Emits what its viewer emits while it is the one that shows, and `transport` when that has changed. */
export class Watching extends Emitter {
  transport = 'webrtc';
  /** `state` as of `Link`, for the way that shows. */
  link = Object.assign(new Emitter(), { state: { name: 'connecting', attempt: 0 } });
  #lesson;
  #options;
  #forced;
  #webrtc = null;
  #hls = null;
  #timer = 0;
  #again = 0;
  #tries = 0;
  #wasOpen = false;
  #over = false;
  /** Counts what may make an LL-HLS that is still being loaded unwanted. */
  #turns = 0;

  /** `forced`: LL-HLS whatever the browser can. `options` as of `Viewer`. */
  constructor(lesson, { forced = false, ...options } = {}) {
    super();
    this.#lesson = lesson;
    this.#options = options;
    this.#forced = forced;
    Object.defineProperty(this.link, 'peer', { get: () => ({ leave: () => this.stop() }) });
    this.on('invite', () => this.#tryWebrtc());
  }

  start() {
    if (this.#forced || !globalThis.RTCPeerConnection) this.#openHls();
    else this.#openWebrtc();
  }

  stop() {
    this.#over = true;
    clearTimeout(this.#timer);
    clearTimeout(this.#again);
    this.#webrtc?.stop();
    this.#hls?.stop();
  }

  get tracks() {
    return this.#webrtc && this.transport === 'webrtc' ? this.#webrtc.tracks : { audio: null, main: null, second: null };
  }

  get pc() {
    return this.transport === 'webrtc' ? this.#webrtc?.pc ?? null : null;
  }

  /** Milliseconds that what is shown is behind live; null where that is not known. */
  get behindMs() {
    return this.transport === 'hls' ? this.#hls.behindMs : null;
  }

  send(message) {
    return this.#shown?.send(message) ?? false;
  }

  async sendWith(message, bytes) {
    return (await this.#shown?.sendWith(message, bytes)) ?? false;
  }

  setPictures(pictures) {
    this.#options.pictures = pictures;
    this.#webrtc?.setPictures(pictures);
  }

  cushion(sample) {
    this.#webrtc?.cushion(sample);
  }

  /** LL-HLS alone: plays in `video` the picture and its sound (`video`), the sound (`audio`), or nothing (`none`). */
  play(video, mode) {
    if (this.transport === 'hls') this.#hls.play(video, mode);
  }

  get #shown() {
    return this.transport === 'hls' ? this.#hls : this.#webrtc;
  }

  #openWebrtc() {
    const viewer = new Viewer(this.#lesson, this.#options);
    this.#webrtc = viewer;
    viewer.relay((name, value) => this.#heard(viewer, name, value));
    viewer.link.on('state', (state) => viewer === this.#webrtc && this.#webrtcIs(state));
    viewer.start();
    this.#wait();
  }

  #webrtcIs(state) {
    const { name, problem, why } = state;
    if (name === 'open') this.#become('webrtc');
    if (this.transport === 'hls') {
      // A try beside the other way: once is enough.
      if (name !== 'connecting') this.#dropWebrtc();
      return;
    }
    // The other way, begun beside this one, has arrived at the server, which knows one connection of each learner.
    if (why === 'replaced' && this.#hls) {
      this.#become('hls');
      return;
    }
    if (problem?.code === FULL || (name === 'stopped' && why === 'codec')) {
      this.#tries = AGAIN_MS.length; // it invites, or would be as it is
      this.#openHls({ instead: true, state });
      return;
    }
    this.#say(state);
    if (name === 'connecting' || name === 'retrying') this.#wait();
    else this.#waitNoMore();
    if (name === 'gone' || name === 'stopped') this.#dropHls();
  }

  /** Begin the other way beside this one if it takes too long. */
  #wait() {
    if (this.transport === 'hls' || this.#timer) return;
    this.#timer = setTimeout(() => {
      this.#timer = 0;
      this.#openHls();
    }, this.#wasOpen ? LATER_MS : FIRST_MS);
  }

  #waitNoMore() {
    clearTimeout(this.#timer);
    this.#timer = 0;
  }

  /** `instead`: WebRTC is not to be had, `state` says why; it is shown where there is no other way either. */
  async #openHls({ instead = false, state = null } = {}) {
    if (instead) this.#dropWebrtc();
    if (this.#hls || this.#over) return;
    const turn = this.#turns;
    const { HlsViewer, canPlay } = await import('./hls.js');
    // Meanwhile WebRTC may have come about, or the server may have ended it: then it is not begun beside it any more.
    if (this.#hls || this.#over || turn !== this.#turns) return;
    if (!canPlay()) {
      this.#say(state ?? { name: 'stopped', why: 'codec', problem: null });
      return;
    }
    const viewer = new HlsViewer(this.#lesson, this.#options);
    this.#hls = viewer;
    viewer.relay((name, value) => this.#heard(viewer, name, value));
    viewer.link.on('state', (now) => viewer === this.#hls && this.#hlsIs(now));
    if (!this.#webrtc) this.#become('hls');
    viewer.start();
  }

  #hlsIs(state) {
    if (state.name === 'open') this.#become('hls');
    // The try beside it has arrived at the server, which knows one connection of each learner.
    if (state.why === 'replaced' && this.#webrtc) return;
    if (this.transport === 'hls') this.#say(state);
  }

  /** From now on this one shows. */
  #become(transport) {
    this.#waitNoMore();
    this.#wasOpen = true;
    const changed = transport !== this.transport;
    this.transport = transport;
    if (transport === 'hls') {
      if (changed) this.#dropWebrtc();
      this.#planAnother();
    } else {
      clearTimeout(this.#again);
      this.#tries = 0;
      this.#dropHls();
    }
    if (changed) this.emit('transport', transport);
  }

  #planAnother() {
    clearTimeout(this.#again);
    if (this.#forced || !globalThis.RTCPeerConnection) return;
    const wait = AGAIN_MS[Math.min(this.#tries, AGAIN_MS.length - 1)];
    this.#tries += 1;
    this.#again = setTimeout(() => {
      if (document.visibilityState === 'visible') this.#tryWebrtc();
      this.#planAnother();
    }, jittered(wait, 0.3));
  }

  #tryWebrtc() {
    if (this.transport === 'hls' && !this.#webrtc && !this.#forced && globalThis.RTCPeerConnection) this.#openWebrtc();
  }

  #dropWebrtc() {
    const viewer = this.#webrtc;
    this.#webrtc = null;
    viewer?.stop();
  }

  #dropHls() {
    this.#turns += 1;
    const viewer = this.#hls;
    this.#hls = null;
    viewer?.stop();
  }

  #heard(viewer, name, value) {
    if (viewer === this.#shown) this.emit(name, value);
  }

  #say(state) {
    this.link.state = state;
    this.link.emit('state', state);
  }
}
