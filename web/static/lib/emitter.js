/** Named events for the page's own objects; a listener's error never stops the others. */
export class Emitter {
  #listeners = new Map();
  #relay = null;

  /** Calls `listener(value)` on each `emit(name, value)`; returns the way to stop it. */
  on(name, listener) {
    if (!this.#listeners.has(name)) this.#listeners.set(name, new Set());
    this.#listeners.get(name).add(listener);
    return () => this.#listeners.get(name).delete(listener);
  }

  /** Calls `relay(name, value)` on each `emit`, before the listeners. */
  relay(relay) {
    this.#relay = relay;
  }

  emit(name, value) {
    this.#relay?.(name, value);
    for (const listener of this.#listeners.get(name) ?? []) {
      try {
        listener(value);
      } catch (problem) {
        reportError(problem);
      }
    }
  }
}
