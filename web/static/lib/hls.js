/** Watching by LL-HLS: the media over HTTP, the control messages over a WebSocket. The shape of `whep.Viewer`. */
import { Problem, request } from './api.js';
import { Emitter } from './emitter.js';
import { Player, canPlay } from './hls-player.js';
import { CUT_OR_ENDED, Socket } from './socket.js';

export { canPlay };

/** Emits each control message, `up` when there is a control channel, and `tracks` when there is something to play. */
export class HlsViewer extends Emitter {
  link = Object.assign(new Emitter(), { state: { name: 'connecting', attempt: 0 } });
  #lesson;
  #hold;
  #socket;
  #player;
  #stopped = false;

  constructor(lesson, { hold = null } = {}) {
    super();
    this.#lesson = lesson;
    this.#hold = hold;
    this.#player = new Player(lesson, () => this.emit('tracks'));
    this.#socket = new Socket(lesson);
    this.#socket.relay((name, value) => this.#heard(name, value));
  }

  async start() {
    await this.#hold;
    if (!this.#stopped) this.#socket.start();
  }

  stop() {
    this.#stopped = true;
    this.#socket.stop();
    this.#player.stop();
  }

  get behindMs() {
    return this.#player.behindMs;
  }

  send(message) {
    return this.#socket.send(message);
  }

  sendWith(message, bytes) {
    return this.#socket.sendWith(message, bytes);
  }

  play(video, mode) {
    this.#player.show(video, mode);
  }

  #heard(name, value) {
    if (name === 'down') this.#down(value);
    else if (name === 'stopped') this.#say({ name: 'stopped', why: value.why, problem: null });
    else {
      if (name === 'joined') {
        this.#say({ name: 'open' });
        this.emit('up');
      }
      this.emit(name, value);
      if ((value?.state ?? value?.lesson?.state) === 'ended') this.#end();
    }
  }

  #end() {
    this.#socket.stop();
    this.#say({ name: 'stopped', why: 'ended', problem: null });
  }

  async #down({ in_ms: ms, code }) {
    if (code !== CUT_OR_ENDED) {
      this.#say({ name: 'retrying', in_ms: ms, problem: new Problem('connection_lost') });
      return;
    }
    const path = `/api/v1/lessons/${encodeURIComponent(this.#lesson)}`;
    const lesson = await request(path).then((answer) => answer.json()).catch(() => null);
    if (lesson?.state === 'ended') this.#end();
    else if (!this.#stopped) this.#say({ name: 'gone', lesson });
  }

  #say(state) {
    if (this.link.state.name === 'stopped') return;
    this.link.state = state;
    this.link.emit('state', state);
  }
}
