/**
 * The moving pictures of the wall. Only tiles on the screen are asked for and drawn; a picture is decoded off the
 * main thread and handed to its canvas, so that sixty classes cost no layout.
 */
const TRACKS = ['camera', 'screen'];
const THUMBNAIL = 1;
/** Older than this a picture is no longer what is going on. */
const STALE_MS = 5000;
const ASK_MS = 150;
const MARGIN = '160px';

/** A binary message of the wall: { id, track, at_ms, jpeg }, or null for what it does not know. */
export function readThumbnail(buffer) {
  const view = new DataView(buffer);
  if (view.byteLength < 12 || view.getUint8(0) !== THUMBNAIL) return null;
  const track = TRACKS[view.getUint8(1)];
  const length = view.getUint8(2);
  if (!track || view.byteLength < 11 + length) return null;
  const id = new TextDecoder().decode(new Uint8Array(buffer, 3, length));
  return { id, track, at_ms: Number(view.getBigUint64(3 + length)), jpeg: new Blob([new Uint8Array(buffer, 11 + length)], { type: 'image/jpeg' }) };
}

export class Thumbnails {
  #socket;
  #newest = new Map();
  #tiles = new Map();
  #visible = new Set();
  #asked = '';
  #timer = 0;
  #observer = new IntersectionObserver((entries) => this.#moved(entries), { rootMargin: MARGIN });

  constructor(socket) {
    this.#socket = socket;
    socket.on('binary', (buffer) => this.#take(buffer));
    // A fresh connection knows nothing of what is on this screen.
    socket.on('wall', ({ whole }) => whole && this.#ask(true));
    document.addEventListener('visibilitychange', () => this.#later());
  }

  /** `tile`: { node, paint(track, bitmap) }. */
  add(id, tile) {
    this.#tiles.set(id, tile);
    tile.node.dataset.lesson = id;
    this.#observer.observe(tile.node);
  }

  drop(id) {
    const tile = this.#tiles.get(id);
    if (tile) this.#observer.unobserve(tile.node);
    for (const map of [this.#tiles, this.#newest]) map.delete(id);
    this.#visible.delete(id);
    this.#later();
  }

  /** Whether a picture of the class came within the last seconds. */
  isFresh(id, now = performance.now()) {
    return now - (this.#newest.get(id) ?? -Infinity) < STALE_MS;
  }

  isVisible(id) {
    return this.#visible.has(id);
  }

  #moved(entries) {
    for (const { target, isIntersecting } of entries) {
      const { lesson } = target.dataset;
      if (isIntersecting) this.#visible.add(lesson);
      else this.#visible.delete(lesson);
    }
    this.#later();
  }

  /** Scrolling passes many tiles: what is asked for is what is there when it rests. */
  #later() {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#ask(), ASK_MS);
  }

  #ask(again = false) {
    const lessons = document.visibilityState === 'hidden' ? [] : [...this.#visible].sort();
    const key = lessons.join();
    if (key === this.#asked && !again) return;
    if (this.#socket.send({ type: 'watch', lessons })) this.#asked = key;
  }

  async #take(buffer) {
    const found = readThumbnail(buffer);
    const tile = found && this.#tiles.get(found.id);
    if (!tile) return;
    try {
      const bitmap = await createImageBitmap(found.jpeg);
      this.#newest.set(found.id, performance.now());
      tile.paint(found.track, bitmap);
    } catch {
      // What does not decode is not shown; the next one comes in a second.
    }
  }
}
