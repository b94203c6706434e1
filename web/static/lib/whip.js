/**
 * Broadcasting: audio, camera and screen are offered from the start, because WHIP cannot renegotiate;
 * what is not there yet comes later by replaceTrack.
 */
import { preferCodecs } from './codecs.js';
import { Emitter } from './emitter.js';
import { Link } from './link.js';
import { Peer } from './peer.js';
import { Watchdog } from './watchdog.js';

const VIDEO_BPS = 1_500_000;
/** There is one instructor, and everybody waits for the picture. */
const ASK_AGAIN_MS = 1500;
const MOST_MS = 2000;
const SUSPICION_MS = 10_000;
const KINDS = { audio: 'audio', camera: 'video', screen: 'video' };

/** Emits `outage` ({ ms }) after a lost connection is back. States: see `link`. */
export class Publisher extends Emitter {
  tracks = { audio: null, camera: null, screen: null };
  #transceivers = {};
  #lostAt = 0;
  #watchdog = null;
  #suspectedAt = 0;

  constructor(lesson) {
    super();
    this.link = new Link(lesson, () => this.#makePeer(lesson), { askAgainMs: ASK_AGAIN_MS, mostMs: MOST_MS });
    this.link.on('state', ({ name }) => this.#time(name));
  }

  start() {
    this.link.run();
  }

  /** `why`: the server ended it, so that it needs not be told. */
  stop(why = null) {
    this.link.stop(why);
  }

  get pc() {
    return this.link.peer?.pc ?? null;
  }

  /** The control channel broke: look at once whether the server is still there. */
  suspect() {
    this.#suspectedAt = Date.now();
    this.#watchdog?.suspect();
  }

  /** The server stopped taking our media (a cut): no use in waiting until the connection notices. */
  interrupted() {
    this.#lostAt ||= Date.now();
    this.link.peer?.close();
  }

  /** The mids by which the server tells camera and screen apart. */
  get mids() {
    return Object.fromEntries(
      Object.entries(this.#transceivers).map(([name, transceiver]) => [name, transceiver.mid ?? '']),
    );
  }

  /** Sends `track` (or nothing) as `audio`, `camera` or `screen` from now on, over every reconnection. */
  async put(name, track) {
    this.tracks[name] = track;
    if (track && name === 'screen') track.contentHint = 'detail';
    await this.#transceivers[name]?.sender.replaceTrack(track).catch(() => null);
  }

  #makePeer(lesson) {
    const peer = new Peer(`/whip/${encodeURIComponent(lesson)}`, (pc) => {
      for (const [name, kind] of Object.entries(KINDS)) {
        const options = { direction: 'sendonly' };
        if (kind === 'video') options.sendEncodings = [{ maxBitrate: VIDEO_BPS }];
        const transceiver = pc.addTransceiver(this.tracks[name] ?? kind, options);
        if (kind === 'video') preferCodecs(transceiver, globalThis.RTCRtpSender.getCapabilities?.('video'));
        this.#transceivers[name] = transceiver;
      }
    });
    peer.connected.then(() => { this.#watchdog = new Watchdog(peer); });
    return peer;
  }

  #time(name) {
    const now = Date.now();
    // The picture was gone when the control channel broke, not only when we were sure of it.
    const since = now - this.#suspectedAt < SUSPICION_MS ? this.#suspectedAt : now;
    if (name === 'retrying' || name === 'gone') this.#lostAt ||= since;
    if (name === 'open' && this.#lostAt) {
      this.emit('outage', { ms: now - this.#lostAt });
      this.#lostAt = 0;
    }
  }
}
