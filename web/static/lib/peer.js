/**
 * One WHIP or WHEP session (RFC 9725): an offer posted at once, an answer, a connection, and its end.
 * The server is ICE-lite and learns our addresses from our checks, so nothing waits for gathering, and the
 * offer is posted before it begins.
 */
import { Problem, request } from './api.js';
import { token } from './session.js';

const CONNECT_MS = 10_000;
const POST_MS = 6000;
const PATCH_MS = 3000;
/**
 * ICE calls a hole in the network "disconnected" and often recovers, as long as the server keeps the session
 * (30 s); the watchdog judges sooner where the server can be asked.
 */
const DISCONNECTED_MS = 25_000;
const CREDENTIALS = /^a=ice-(ufrag|pwd):.*$/gm;
const LINK = /<([^>]*)>([^<]*)/g;
const PARAMETER = /;\s*([\w-]+)\s*=\s*"([^"]*)"/g;

export class Peer {
  #location = null;
  #answer = '';
  #timer = 0;
  #ended;

  /**
   * `prepare(pc)` adds what is to be sent or received before the offer is made; the answer waits for `hold`.
   */
  constructor(path, prepare, hold = null) {
    this.path = path;
    this.hold = hold;
    this.pc = new RTCPeerConnection({ bundlePolicy: 'max-bundle', iceServers: [] });
    /** Resolves once the session is over, whoever ended it. */
    this.ended = new Promise((resolve) => { this.#ended = resolve; });
    /** Resolves once media can flow; never when it cannot. */
    this.connected = new Promise((resolve) => {
      this.pc.addEventListener('connectionstatechange', () => this.#watch(resolve));
    });
    prepare(this.pc);
  }

  /** The server's id of this session, the last part of its address; null before there is one. */
  get id() {
    return this.#location?.split('?')[0].split('/').pop() ?? null;
  }

  /** Resolves when media can flow; throws `Problem` when the server refuses or nothing connects. */
  async open() {
    try {
      const offer = repairable(await this.pc.createOffer());
      const response = await request(this.path, {
        method: 'POST', timeoutMs: POST_MS,
        headers: { 'Content-Type': 'application/sdp' },
        body: offer.sdp,
      });
      // Only the path: behind a proxy the server's idea of its own host may not be ours.
      const place = new URL(response.headers.get('Location') ?? this.path, location.href);
      this.#location = place.pathname + place.search;
      this.#answer = await response.text();
      // The answer names the relays, and they count only if they are known before gathering begins.
      const relays = iceServers(response.headers.get('Link') ?? '');
      if (relays.length) this.pc.setConfiguration({ ...this.pc.getConfiguration(), iceServers: relays });
      await this.pc.setLocalDescription(offer);
      await this.hold;
      await this.pc.setRemoteDescription({ type: 'answer', sdp: this.#answer });
      await this.#connectedInTime();
    } catch (problem) {
      this.leave();
      throw problem instanceof Problem ? problem : new Problem('webrtc', 0, problem.message);
    }
  }

  /**
   * Looks for a way again (RFC 9725 4.3.3): whoever came into another network is found there, in the same
   * session. Throws `Problem`: a status says that the session is gone, none that the server was not reached.
   */
  async restart() {
    const offer = repairable(await this.pc.createOffer({ iceRestart: true }));
    const response = await request(this.#location, {
      method: 'PATCH', timeoutMs: PATCH_MS,
      headers: { 'Content-Type': 'application/trickle-ice-sdpfrag', 'If-Match': '*' },
      body: (offer.sdp.match(CREDENTIALS) ?? []).slice(0, 2).join('\r\n') + '\r\n',
    });
    const fresh = (await response.text()).match(CREDENTIALS) ?? [];
    const of = (name) => fresh.find((line) => line.startsWith(`a=ice-${name}:`));
    this.#answer = this.#answer.replace(CREDENTIALS, (_, name) => of(name));
    await this.pc.setLocalDescription(offer);
    await this.pc.setRemoteDescription({ type: 'answer', sdp: this.#answer });
  }

  /** Ends the session here; the server has ended it, or will notice, or replaces it by the next one. */
  close() {
    clearTimeout(this.#timer);
    this.pc.close();
    this.#ended();
  }

  /** Ends the session here and, by DELETE, at the server. Works while the page is being left. */
  leave() {
    if (this.#location) {
      const headers = { Authorization: `Bearer ${token()}` };
      // The server notices a vanished peer by itself; the answer changes nothing here.
      fetch(this.#location, { method: 'DELETE', keepalive: true, credentials: 'omit', headers }).catch(() => null);
      this.#location = null;
    }
    this.close();
  }

  #connectedInTime() {
    let timer = 0;
    const late = new Promise((_, reject) => {
      timer = setTimeout(() => reject(new Problem('no_connection')), CONNECT_MS);
    });
    const over = this.ended.then(() => { throw new Problem('no_connection'); });
    return Promise.race([this.connected, late, over]).finally(() => clearTimeout(timer));
  }

  #watch(connected) {
    clearTimeout(this.#timer);
    const state = this.pc.connectionState;
    if (state === 'connected') connected();
    else if (state === 'failed') this.close();
    else if (state === 'disconnected') this.#timer = setTimeout(() => this.close(), DISCONNECTED_MS);
  }
}

/** Lost sound can be asked for again: browsers repair it when it is agreed upon, and do not offer it themselves. */
function repairable({ type, sdp }) {
  return { type, sdp: sdp.replace(/^a=rtpmap:(\d+) opus\/48000\/2\r\n/gm, '$&a=rtcp-fb:$1 nack\r\n') };
}

/** `<turn:…>; rel="ice-server"; username="…"; credential="…", <…>…` → [{ urls, username, credential }] (RFC 9725 4.6) */
function iceServers(header) {
  return [...header.matchAll(LINK)]
    .map(([, urls, rest]) => ({ urls, ...Object.fromEntries([...rest.matchAll(PARAMETER)].map(([, k, v]) => [k, v])) }))
    .filter(({ rel, urls }) => rel === 'ice-server' && /^turns?:/.test(urls))
    .map(({ urls, username, credential }) => ({ urls, username, credential }));
}
