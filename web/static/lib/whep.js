/**
 * Watching: receive-only audio and up to two pictures, with the control channel inside the same
 * connection. `link` carries the states, the viewer itself the control messages.
 */
import { preferCodecs } from './codecs.js';
import { Link } from './link.js';
import { Messages } from './messages.js';
import { Peer } from './peer.js';
import { Watchdog } from './watchdog.js';

/** How long the control channel may take after the connection stands. */
const CONTROL_MS = 6000;
/** From which loss on pictures wait how long, in ms: as long as asking again takes until nearly all have come. */
const CUSHIONS = [[0.15, 600], [0.07, 300], [0.02, 150], [0.005, 60]];
/** Freezes without loss: what was lost on the instructor's side comes late. So long at first, so long at most. */
const [FREEZING_MS, FREEZING_MOST_MS] = [150, 300];
/** A network that was bad a moment ago is not trusted at once. */
const CALM_MS = 30_000;

export class Viewer extends Messages {
  /** { audio, main, second } of the newest session, of which a picture may be null; `tracks` is emitted for each. */
  tracks = { audio: null, main: null, second: null };
  #cushionMs = 0;
  #roughAt = 0;

  /** `hold`: a promise to wait for before the first answer is used, so that no message comes too early. */
  constructor(lesson, { pictures = 2, hold = null } = {}) {
    super();
    this.pictures = pictures;
    this.hold = hold;
    this.link = new Link(lesson, () => this.#makePeer(lesson));
    // A message that says it is over beats whatever the connection does next.
    this.on('replaced', () => this.link.stop('replaced'));
    this.on('lesson', ({ state }) => state === 'ended' && this.link.stop('ended'));
    this.on('joined', ({ lesson: { state } }) => state === 'ended' && this.link.stop('ended'));
  }

  start() {
    this.link.run();
  }

  stop() {
    this.link.stop();
    this.detach();
  }

  /** Zero pictures is a session that costs no more than its sound. */
  setPictures(pictures) {
    if (pictures === this.pictures) return;
    this.pictures = pictures;
    this.link.renew();
  }

  /** Holds pictures back by what the last seconds were like: `loss` (0-1, before repair) and `freezes`. */
  cushion({ loss, freezes }) {
    const forLoss = CUSHIONS.find(([least]) => loss >= least)?.[1] ?? 0;
    const longer = Math.min(FREEZING_MOST_MS, this.#cushionMs * 2 || FREEZING_MS);
    const ms = freezes > 1 ? Math.max(forLoss, longer) : forLoss;
    const now = performance.now();
    const calm = now - this.#roughAt > CALM_MS;
    if (ms >= this.#cushionMs || calm) {
      this.#cushionMs = ms;
      this.#roughAt = now;
    }
    for (const receiver of this.pc?.getReceivers() ?? []) holdBack(receiver, this.#cushionMs);
  }

  get pc() {
    return this.link.peer?.pc ?? null;
  }

  #makePeer(lesson) {
    const peer = new Peer(`/whep/${encodeURIComponent(lesson)}`, (pc) => {
      const tracks = { audio: receive(pc, 'audio'), main: null, second: null };
      if (this.pictures > 0) tracks.main = receive(pc, 'video');
      if (this.pictures > 1) tracks.second = receive(pc, 'video');
      this.tracks = tracks;
    }, this.hold);
    this.#openControl(peer, lesson);
    this.emit('tracks');
    peer.ended.then(() => this.detach());
    return peer;
  }

  #openControl(peer, lesson) {
    const lost = () => peer.close();
    const channel = peer.pc.createDataChannel('control', { ordered: true });
    channel.addEventListener('open', () => {
      this.attach({
        send: (data) => {
          if (channel.readyState !== 'open') return false;
          channel.send(data);
          return true;
        },
        waiting: () => channel.bufferedAmount,
        lost,
      });
      new Watchdog(peer, () => this.beat());
      this.emit('up');
    });
    channel.addEventListener('message', ({ data }) => typeof data === 'string' && this.receive(data));
    channel.addEventListener('close', lost);
    // Connected but mute: media may flow, but nobody would tell us what it means.
    peer.connected.then(() => setTimeout(() => channel.readyState === 'connecting' && lost(), CONTROL_MS));
  }
}

function receive(pc, kind) {
  const transceiver = pc.addTransceiver(kind, { direction: 'recvonly' });
  const { receiver } = transceiver;
  if (kind === 'video') preferCodecs(transceiver, globalThis.RTCRtpReceiver.getCapabilities?.('video'));
  // As little buffer as the network allows.
  holdBack(receiver, 0);
  return receiver.track;
}

/** Both names of the same wish. */
function holdBack(receiver, ms) {
  if ('jitterBufferTarget' in receiver) receiver.jitterBufferTarget = ms;
  else if ('playoutDelayHint' in receiver) receiver.playoutDelayHint = ms / 1000;
}
