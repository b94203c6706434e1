/** Control messages (docs/PROTOCOL.md section 1) over whichever carrier is up, with their heartbeat. */
import { jittered, pause } from './backoff.js';
import { Emitter } from './emitter.js';

const HEARTBEAT_MS = 15_000;
const ANSWER_MS = 10_000;
const PIECE_BYTES = 16_384;
const WAITING_BYTES = 65_536;
const ROOM_MS = 50;

/**
 * Emits each incoming message under its `type`. A carrier is `{ send(textOrBytes), waiting(), lost() }`, with
 * `waiting` the bytes it has not sent yet; a heartbeat that stays unanswered for 10 s calls its `lost`.
 */
export class Messages extends Emitter {
  #carrier = null;
  #timer = 0;
  #deadline = 0;
  #seq = 0;

  attach(carrier) {
    this.detach();
    this.#carrier = carrier;
    this.#schedule();
  }

  detach() {
    clearTimeout(this.#timer);
    clearTimeout(this.#deadline);
    this.#deadline = 0;
    this.#carrier = null;
  }

  get attached() {
    return this.#carrier !== null;
  }

  /** False when no carrier is up: the caller decides whether that matters. */
  send(message) {
    if (!this.#carrier) return false;
    return this.#carrier.send(JSON.stringify(message));
  }

  /** A message and the bytes it announces, in pieces that a slow line is given time for; false when the carrier went. */
  async sendWith(message, bytes) {
    const carrier = this.#carrier;
    if (!this.send(message)) return false;
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      while (carrier === this.#carrier && carrier.waiting() > WAITING_BYTES) await pause(ROOM_MS);
      if (carrier !== this.#carrier || !carrier.send(bytes.subarray(at, at + PIECE_BYTES))) return false;
    }
    return true;
  }

  receive(text) {
    let message;
    try {
      message = JSON.parse(text);
    } catch {
      return;
    }
    if (message === null || typeof message !== 'object' || typeof message.type !== 'string') return;
    clearTimeout(this.#deadline);
    this.#deadline = 0;
    this.emit(message.type, message);
  }

  /** One heartbeat now, whose answer shows that the other side lives. */
  beat() {
    this.#seq += 1;
    this.send({ type: 'heartbeat', seq: this.#seq });
  }

  #schedule() {
    this.#timer = setTimeout(() => {
      this.beat();
      const carrier = this.#carrier;
      this.#deadline ||= setTimeout(() => carrier?.lost(), ANSWER_MS);
      this.#schedule();
    }, jittered(HEARTBEAT_MS, 0.1));
  }
}
