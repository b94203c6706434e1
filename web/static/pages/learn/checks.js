/** The random check this learner is in: what the server says of it, and what was answered. No words, no nodes. */
import { sha256Hex } from '../../lib/digest.js';
import { Emitter } from '../../lib/emitter.js';

const ANSWER_MS = 8000;
/** Pieces may still be on their way when the last of them was handed over. */
const PHOTO_MS = 20_000;
/** The server judges within 30 s, or hands the photo to a person and says so. */
const JUDGED_MS = 45_000;
/** After the deadline the server's result needs a moment; without one, nobody here knows. */
const RESULT_MS = 5000;
const OVER = new Set(['passed', 'failed', 'timeout', 'excused']);
const RETAKES = {
  wrong: 'check.wrong', no_face: 'check.no_face', blurred: 'check.blurred', turned_away: 'check.turned_away', no_photo: 'check.no_photo',
};
const ERRORS = new Set(['no_consent', 'bad_message', 'not_available', 'too_large', 'rate_limited', 'challenge_over', 'challenge_late', 'unknown_challenge', 'busy']);

/**
 * Emits `change`, and `later` with the result of a check that is not the one in the sheet. `phase`: 'none' | 'asked' | 'sending' | 'judging' | 'review' | 'passed' | 'failed' | 'timeout' |
 * 'late' | 'excused' | 'unheard'; `said`: [key, values] of what came of the last try, or null.
 */
export class Checks extends Emitter {
  #messages;
  #now;
  #timer = 0;
  #began = 0;
  check = null;
  phase = 'none';
  said = null;

  /** `messages`: a carrier's control messages; `now()`: the server's time in ms. */
  constructor(messages, now) {
    super();
    this.#messages = messages;
    this.#now = now;
    messages.on('challenge', (check) => this.#asked(check));
    messages.on('result', (result) => this.#resulted(result));
    messages.on('error', ({ code }) => this.#refused(code));
    messages.on('lesson', ({ state }) => state === 'ended' && !OVER.has(this.phase) && this.close());
  }

  get leftMs() {
    return this.check ? this.check.deadline_at_ms - this.#now() : 0;
  }

  get wholeMs() {
    return this.check.deadline_at_ms - this.#began;
  }

  /** Whether an answer is expected now. */
  get open() {
    return (this.phase === 'asked' || this.phase === 'sending') && this.leftMs > 0;
  }

  answer(choice) {
    this.#send(() => this.#messages.send({ type: 'answer', challenge: this.check.id, choice }));
  }

  instead() {
    this.#send(() => this.#messages.send({ type: 'answer', challenge: this.check.id, instead: 'quiz' }));
  }

  /** A JPEG (a Blob), announced and sent in pieces; behind it the one of the turned head, if there is one. */
  async photo(jpeg, turned = null) {
    if (!this.open || this.phase === 'sending') return;
    const { id } = this.check;
    this.#to('sending');
    const head = { type: 'photo', challenge: id, ...(await announced(jpeg)), ...(turned && { turned: await announced(turned) }) };
    const both = new Blob(turned ? [jpeg, turned] : [jpeg]);
    const sent = await this.#messages.sendWith(head, new Uint8Array(await both.arrayBuffer()));
    if (this.phase !== 'sending' || this.check.id !== id) return;
    if (sent) this.#expect(PHOTO_MS);
    else this.#to('asked', ['check.offline', {}]);
  }

  /** What the learner has to do before an answer can be sent. */
  say(key, values = {}) {
    this.said = [key, values];
    this.emit('change');
  }

  close() {
    clearTimeout(this.#timer);
    if (this.phase !== 'none') this.#to('none');
  }

  /** Called as time goes by: without a word of the server's long after the deadline, nobody here knows. */
  tick() {
    const waits = this.phase === 'asked' || this.phase === 'sending';
    if (waits && this.leftMs < -RESULT_MS) this.#to('unheard');
  }

  #send(write) {
    if (!this.open || this.phase === 'sending') return;
    if (!write()) {
      this.say('check.offline');
      return;
    }
    this.#to('sending');
    this.#expect(ANSWER_MS);
  }

  #expect(ms) {
    this.#timer = setTimeout(() => this.#to('asked', ['check.unanswered', {}]), ms);
  }

  #asked(check) {
    const anew = check.id !== this.check?.id || check.kind !== this.check.kind;
    // A question instead of a photo has a time of its own.
    if (anew) this.#began = check.id === this.check?.id ? this.#now() : check.issued_at_ms;
    this.check = check;
    this.#to('asked', anew ? null : this.said);
  }

  #resulted({ challenge, result, attempts_left: left, detail }) {
    if (challenge !== this.check?.id) {
      if (OVER.has(result)) this.emit('later', result);
      return;
    }
    this.check = { ...this.check, attempts_left: left };
    if (result === 'issued') this.#to('asked', [RETAKES[detail] ?? 'check.wrong', { n: left }]);
    else this.#to(result);
    if (result === 'judging') this.#timer = setTimeout(() => this.#to('unheard'), JUDGED_MS);
  }

  /** Errors carry no name of what they answer: they are ours when something of ours is under way. */
  #refused(code) {
    if (this.phase !== 'sending' || !ERRORS.has(code)) return;
    if (code === 'challenge_late') this.#to('late');
    else if (code === 'challenge_over' || code === 'unknown_challenge') this.#to('unheard');
    else this.#to('asked', ['check.refused', { code }]);
  }

  #to(phase, said = null) {
    clearTimeout(this.#timer);
    this.phase = phase;
    this.said = said;
    this.emit('change');
  }
}

const announced = async (blob) => ({ size: blob.size, sha256: await sha256Hex(blob, () => null) });
