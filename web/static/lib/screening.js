/** What a class is told of its screening (docs/PROTOCOL.md sections 1 and 4), kept up to date. */
import { Emitter } from './emitter.js';

const CUT_BY = /^screening: (\w+)$/;

/** The category that made screening itself cut; null for a person's reason. */
export const cutByScreening = (reason) => CUT_BY.exec(reason ?? '')?.[1] ?? null;

/** Emits `change`. `incidents`: the instructor's, the newest last. */
export class ScreeningNews extends Emitter {
  delayMs = 0;
  heldBack = false;
  /** { reason } while this person may not chat */
  muted = null;
  incidents = new Map();
  #me = '';

  constructor(messages) {
    super();
    messages.on('joined', ({ you, screening, incidents = [] }) => {
      this.#me = you.person;
      this.#take({ ...screening, muted: you.muted ? { reason: this.muted?.reason ?? '' } : null });
      this.incidents = new Map(incidents.map((one) => [one.id, one]));
      this.emit('change');
    });
    messages.on('screening', (message) => this.#take(message));
    messages.on('muted', ({ person, active, reason }) => person === this.#me && this.#take({ muted: active ? { reason } : null }));
    messages.on('incident', (incident) => {
      this.incidents.set(incident.id, incident);
      this.emit('change');
    });
  }

  #take({ delay_ms: delayMs = this.delayMs, held_back: heldBack = this.heldBack, muted = this.muted }) {
    Object.assign(this, { delayMs, heldBack, muted });
    this.emit('change');
  }
}
