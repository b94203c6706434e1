/** The control channel over a WebSocket: instructors, moderators, the wall. Joins first, comes back by itself. */
import { backoffMs, pause } from './backoff.js';
import { Messages } from './messages.js';
import { fresh, token } from './session.js';

/** Close codes after which coming back by itself would be wrong, and what they mean to the page. */
const FINAL = { 4401: 'denied', 4403: 'denied', 4404: 'unknown', 4409: 'replaced' };
/** The lesson was cut or has ended; which of the two, the lesson itself says. */
export const CUT_OR_ENDED = 4410;

/** Also emits `down` ({ in_ms, code }), `stopped` ({ why }) and `binary` (an ArrayBuffer). */
export class Socket extends Messages {
  #lesson;
  #socket = null;
  #stop = new AbortController();
  #attempt = 0;

  constructor(lesson) {
    super();
    this.#lesson = lesson;
  }

  start() {
    this.#open();
  }

  stop() {
    this.#stop.abort();
    this.detach();
    this.#socket?.close(1000);
  }

  async #open() {
    await fresh();
    if (this.#stop.signal.aborted) return;
    const scheme = location.protocol === 'https:' ? 'wss' : 'ws';
    const socket = new WebSocket(`${scheme}://${location.host}/ws/${encodeURIComponent(this.#lesson)}`);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('open', () => {
      socket.send(JSON.stringify({ type: 'join', token: token() }));
      this.attach({
        send: (data) => this.#write(socket, data),
        waiting: () => socket.bufferedAmount,
        lost: () => socket.close(4000, 'silent'),
      });
    });
    socket.addEventListener('message', ({ data }) => {
      this.#attempt = 0;
      if (typeof data === 'string') this.receive(data);
      else this.emit('binary', data);
    });
    socket.addEventListener('close', ({ code, reason }) => this.#closed(code, reason));
  }

  #write(socket, data) {
    if (socket.readyState !== WebSocket.OPEN) return false;
    socket.send(data);
    return true;
  }

  async #closed(code, reason) {
    this.detach();
    if (this.#stop.signal.aborted) return;
    if (code in FINAL) {
      this.emit('stopped', { why: reason === 'session_ended' ? 'signed_out' : FINAL[code] });
      return;
    }
    // A cut lesson may be restored: ask again, but not often.
    const wait = code === CUT_OR_ENDED ? 4000 + Math.random() * 2000 : backoffMs(this.#attempt);
    this.#attempt += 1;
    this.emit('down', { in_ms: wait, code });
    await pause(wait, this.#stop.signal);
    if (!this.#stop.signal.aborted) this.#open();
  }
}
