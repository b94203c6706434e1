/** Camera and microphone of the instructor's machine, and in one word why one of them is not there. */
import { Emitter } from './emitter.js';

const WISHES = {
  camera: { width: { ideal: 1280 }, height: { ideal: 720 }, frameRate: { ideal: 25, max: 30 } },
  microphone: { echoCancellation: true, noiseSuppression: true, autoGainControl: true },
};
const KIND = { camera: 'video', microphone: 'audio' };
const LISTED = { camera: 'videoinput', microphone: 'audioinput' };
const PROBLEMS = {
  NotAllowedError: 'refused', SecurityError: 'refused', NotFoundError: 'missing',
  OverconstrainedError: 'missing', NotReadableError: 'busy', AbortError: 'busy',
};

/** Emits `change` whenever a track, a problem or the list of devices changed. */
export class Devices extends Emitter {
  tracks = { camera: null, microphone: null };
  /** null | 'refused' | 'missing' | 'busy' | 'insecure' | 'unplugged' | 'off' */
  problems = { camera: null, microphone: null };
  listed = { camera: [], microphone: [] };

  constructor() {
    super();
    navigator.mediaDevices?.addEventListener?.('devicechange', () => this.#list());
  }

  /** Asks for both at once (one question to the person), then for each alone when that fails. */
  async open() {
    if (!navigator.mediaDevices?.getUserMedia) {
      this.problems = { camera: 'insecure', microphone: 'insecure' };
      this.emit('change');
      return;
    }
    try {
      this.#take(await navigator.mediaDevices.getUserMedia({ video: WISHES.camera, audio: WISHES.microphone }));
    } catch (problem) {
      const why = PROBLEMS[problem.name] ?? 'busy';
      this.problems = { camera: why, microphone: why };
      for (const name of Object.keys(KIND)) {
        if (why !== 'refused' || (await granted(name))) await this.choose(name);
      }
    }
    await this.#list();
  }

  /** Opens `name` ('camera' | 'microphone'), a certain one by its id; false when it cannot be had. */
  async choose(name, id = null) {
    const wish = id ? { ...WISHES[name], deviceId: { exact: id } } : WISHES[name];
    this.close(name);
    try {
      this.#take(await navigator.mediaDevices.getUserMedia({ [KIND[name]]: wish }));
    } catch (problem) {
      this.problems[name] = PROBLEMS[problem.name] ?? 'busy';
    }
    await this.#list();
    return this.tracks[name] !== null;
  }

  /** Lets go of the device: its lamp goes out. */
  close(name) {
    this.tracks[name]?.stop();
    this.tracks[name] = null;
    this.problems[name] = 'off';
  }

  #take(stream) {
    for (const track of stream.getTracks()) {
      const name = track.kind === 'video' ? 'camera' : 'microphone';
      this.tracks[name] = track;
      this.problems[name] = null;
      track.addEventListener('ended', () => {
        if (this.tracks[name] !== track) return;
        this.tracks[name] = null;
        this.problems[name] = 'unplugged';
        this.emit('change');
      });
    }
  }

  async #list() {
    const all = (await navigator.mediaDevices?.enumerateDevices?.().catch(() => [])) ?? [];
    for (const [name, kind] of Object.entries(LISTED)) {
      this.listed[name] = all.filter((device) => device.kind === kind && device.deviceId);
    }
    this.emit('change');
  }
}

async function granted(name) {
  try {
    return (await navigator.permissions.query({ name })).state === 'granted';
  } catch {
    return false;
  }
}

/** The screen as a track with its own frame rate bound; null when the person chose none. */
export async function pickScreen() {
  const wish = { width: { max: 1920 }, height: { max: 1080 }, frameRate: { ideal: 10, max: 15 } };
  try {
    const stream = await navigator.mediaDevices.getDisplayMedia({ video: wish, audio: false });
    return stream.getVideoTracks()[0] ?? null;
  } catch {
    return null;
  }
}

export const canShareScreen = () => Boolean(navigator.mediaDevices?.getDisplayMedia);
