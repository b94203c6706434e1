/** Whether somebody is really looking: what the server is told of it, and the screen that stays awake. */
import { Emitter } from '../../lib/emitter.js';

export class Presence extends Emitter {
  #viewer;
  #story;
  #lock = null;
  #told = '';

  constructor(viewer, story) {
    super();
    this.#viewer = viewer;
    this.#story = story;
    document.addEventListener('visibilitychange', () => this.#update());
    viewer.on('up', () => { this.#told = ''; });
    viewer.on('joined', () => this.#update());
    story.on('change', () => this.#update());
    addEventListener('pagehide', () => viewer.link.peer?.leave());
    // Taken out of the browser's page cache: the session was left, so join again.
    addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
  }

  #update() {
    const hidden = document.visibilityState === 'hidden';
    const state = hidden ? 'hidden' : this.#story.audioOnly ? 'audio_only' : 'foreground';
    if (state !== this.#told && this.#viewer.send({ type: 'visibility', state })) this.#told = state;
    this.#keepAwake(!hidden && this.#story.lesson.state === 'live');
  }

  async #keepAwake(wanted) {
    if (wanted === (this.#lock !== null)) return;
    if (!wanted) {
      const lock = this.#lock;
      this.#lock = null;
      if (lock !== 'asking') await lock.release().catch(() => null);
      return;
    }
    if (!navigator.wakeLock) return;
    this.#lock = 'asking';
    try {
      const lock = await navigator.wakeLock.request('screen');
      lock.addEventListener('release', () => { if (this.#lock === lock) this.#lock = null; });
      if (this.#lock === 'asking') this.#lock = lock;
      else await lock.release();
    } catch {
      // Low battery or no permission: the class goes on, the screen may dim.
      this.#lock = null;
    }
  }
}
