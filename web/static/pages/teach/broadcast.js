/**
 * What the instructor sends and what the class looks like from here. Buttons call its methods, the
 * view reads its fields after `change`.
 */
import { get, post } from '../../lib/api.js';
import { pickScreen } from '../../lib/devices.js';
import { Emitter } from '../../lib/emitter.js';
import { cutOf } from '../../lib/lesson.js';
import { ScreeningNews } from '../../lib/screening.js';
import { CUT_OR_ENDED } from '../../lib/socket.js';
import { followRecordings } from './sealing.js';

/** After this long without a picture at the server, although we believe to send one, we publish anew. */
const UNHEARD_MS = 1500;

export class Broadcast extends Emitter {
  /** 'setup' | 'live' | 'ended' | 'replaced' | 'denied' | 'unknown' */
  phase = 'setup';
  lesson = { title: '', state: null, started_at_ms: null, viewers: null };
  cut = null;
  chatOn = true;
  recording = null;
  outageMs = null;
  online = false;
  cutOff = false;
  microphoneOn = true;
  cameraOn = true;
  blank = false;
  screen = null;
  clockOffsetMs = 0;
  #unheard = 0;
  #rejoined = false;

  constructor({ lesson, socket, devices, publisher }) {
    super();
    Object.assign(this, { id: lesson, socket, devices, publisher });
    this.screening = new ScreeningNews(socket);
    this.screening.on('change', () => this.emit('change'));
    devices.on('change', () => this.#devicesChanged());
    publisher.link.on('state', (state) => this.#linked(state));
    publisher.on('outage', ({ ms }) => this.set({ outageMs: ms }));
    socket.on('joined', (message) => this.#joined(message));
    socket.on('down', ({ code }) => this.#disconnected(code));
    socket.on('stopped', ({ why }) => this.#stopped(why));
    socket.on('replaced', ({ session }) => this.#replaced(session));
    socket.on('lesson', (message) => this.#lessonChanged(message));
    socket.on('cut', (message) => this.#cutChanged(message));
    socket.on('recording', (recording) => this.set({ recording }));
    socket.on('notice', ({ code }) => (code === 'node_cut_off' || code === 'node_back') && this.set({ cutOff: code === 'node_cut_off' }));
  }

  set(changes) {
    Object.assign(this, changes);
    this.emit('change');
  }

  get paused() {
    return this.lesson.state === 'paused';
  }

  async goLive() {
    this.set({ phase: 'live', outageMs: null });
    await this.#putAll();
    this.publisher.start();
  }

  async end() {
    const lesson = await post(`/lessons/${encodeURIComponent(this.id)}/end`);
    this.#over();
    return lesson;
  }

  toggleMicrophone() {
    this.set({ microphoneOn: !this.microphoneOn });
    this.#gate();
  }

  async toggleCamera() {
    if (this.devices.tracks.camera) this.devices.close('camera');
    else await this.devices.choose('camera');
    this.set({ cameraOn: this.devices.tracks.camera !== null });
    await this.#putAll();
  }

  async choose(name, id) {
    await this.devices.choose(name, id);
    await this.#putAll();
  }

  async toggleScreen() {
    if (this.screen) {
      this.screen.stop();
      this.set({ screen: null });
    } else {
      const track = await pickScreen();
      if (!track) return;
      track.addEventListener('ended', () => this.screen === track && this.#screenClosed());
      this.set({ screen: track });
    }
    await this.#putAll();
  }

  toggleBlank() {
    this.set({ blank: !this.blank });
    this.#gate();
  }

  togglePause() {
    return this.socket.send({ type: 'pause', on: !this.paused });
  }

  async #screenClosed() {
    this.set({ screen: null });
    await this.#putAll();
  }

  async #putAll() {
    await this.publisher.put('audio', this.devices.tracks.microphone);
    await this.publisher.put('camera', this.devices.tracks.camera);
    await this.publisher.put('screen', this.screen);
    this.#gate();
  }

  /** A blanked or paused class leaves this machine black and silent, whatever the server does with it. */
  #gate() {
    const { microphone, camera } = this.devices.tracks;
    if (microphone) microphone.enabled = this.microphoneOn && !this.paused;
    for (const picture of [camera, this.screen]) {
      if (picture) picture.enabled = !this.blank && !this.paused;
    }
    this.#tellSources();
    this.emit('change');
  }

  #tellSources() {
    if (this.phase !== 'live' || this.publisher.link.state.name !== 'open') return;
    const { microphone, camera } = this.devices.tracks;
    this.socket.send({
      type: 'sources',
      camera: camera !== null,
      screen: this.screen !== null,
      microphone: microphone !== null && this.microphoneOn,
      blank: this.blank,
      mids: this.publisher.mids,
    });
  }

  async #devicesChanged() {
    this.cameraOn = this.devices.tracks.camera !== null;
    if (this.phase === 'live') await this.#putAll();
    else this.emit('change');
  }

  #linked(state) {
    if (state.name === 'open') this.#tellSources();
    if (state.name === 'stopped') this.#stopped(state.why);
    this.emit('change');
  }

  #joined(message) {
    this.#rejoined = this.phase === 'live';
    this.publisher.link.wake();
    this.set({
      online: true,
      cutOff: false,
      lesson: { ...this.lesson, ...message.lesson },
      cut: message.cut ?? null,
      chatOn: message.chat_on !== false,
      clockOffsetMs: message.server_time_ms - Date.now(),
    });
    if (message.lesson.state === 'ended') this.#over();
    this.#tellSources();
  }

  #lessonChanged({ state, viewers, started_at_ms: started, publishing }) {
    const wasPaused = this.paused;
    this.set({ lesson: { ...this.lesson, state, viewers, started_at_ms: started ?? this.lesson.started_at_ms } });
    if (state === 'ended') this.#over();
    else if (wasPaused !== this.paused) this.#gate();
    this.#mindSilence(publishing);
  }

  async #disconnected(code) {
    if (this.phase === 'ended') return;
    this.set({ online: false });
    if (code !== CUT_OR_ENDED) {
      if (this.phase === 'live') this.publisher.suspect();
      return;
    }
    try {
      const lesson = await get(`/lessons/${encodeURIComponent(this.id)}`);
      const cut = cutOf(lesson);
      this.set({ lesson: { ...this.lesson, state: lesson.state, viewers: lesson.viewers }, cut });
      if (lesson.state === 'ended') this.#over();
      else if (cut && this.phase === 'live') this.publisher.interrupted();
    } catch {
      // The socket asks again in a few seconds and learns it then.
    }
  }

  #cutChanged({ active, ...cut }) {
    this.set({ cut: active ? cut : null });
    if (active && cut.level === 'lesson' && this.phase === 'live') this.publisher.interrupted();
  }

  /** The server came back without our session: it says so long before our own connection notices. */
  #mindSilence(publishing) {
    const believes = this.phase === 'live' && this.publisher.link.state.name === 'open' && this.#rejoined;
    if (publishing !== false || !believes || this.cut) {
      clearTimeout(this.#unheard);
      this.#unheard = 0;
      return;
    }
    this.#unheard ||= setTimeout(() => {
      this.#unheard = 0;
      this.#rejoined = false;
      this.publisher.link.peer?.close();
    }, UNHEARD_MS);
  }

  /** With `session`, that WHIP session alone was replaced, and every page of this instructor is told so. */
  #replaced(session) {
    if (session === undefined || session === this.publisher.link.peer?.id) this.#stopped('replaced');
  }

  #stopped(why) {
    if (why === 'ended') this.#over();
    else this.#finish(why ?? 'denied');
  }

  #over() {
    if (this.#finish('ended')) followRecordings(this.id, (recordings) => this.set({ recordings }));
  }

  /** Nothing is sent from here any more; false when that was so already. */
  #finish(phase) {
    if (this.phase === 'ended' || this.phase === phase) return false;
    this.phase = phase;
    this.publisher.stop(phase);
    this.socket.stop();
    this.devices.close('camera');
    this.devices.close('microphone');
    this.screen?.stop();
    this.screen = null;
    this.emit('change');
    return true;
  }
}
