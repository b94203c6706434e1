/** What the connection does, from getStats, as few numbers and one verdict: good, fair or poor. */

const LOSS_FAIR = 0.02;
const LOSS_POOR = 0.08;
const RTT_FAIR_MS = 300;
const RTT_POOR_MS = 800;
const STARVED_BPS = 400_000;
const STARVED_SAMPLES = 4;

const sum = (reports, name) => reports.reduce((total, report) => total + (report[name] ?? 0), 0);
const perSecond = (now, before, ms) => (before === undefined || ms <= 0 ? null : (now - before) / (ms / 1000));

async function reportsOf(pc) {
  return [...(await pc.getStats()).values()];
}

/** Follows one sending connection; `sample(pc)` gives bps, rtt_ms, loss (0-1), limited and verdict. */
export class UploadMeter {
  #before = null;
  #starved = 0;

  async sample(pc) {
    const reports = await reportsOf(pc);
    const out = reports.filter(({ type }) => type === 'outbound-rtp');
    const heard = reports.filter(({ type }) => type === 'remote-inbound-rtp');
    const pair = reports.find((report) => report.type === 'candidate-pair' && report.nominated);
    const now = { pc, at: performance.now(), bytes: sum(out, 'bytesSent') };
    const before = this.#before?.pc === pc ? this.#before : null;
    this.#before = now;
    const bytes = perSecond(now.bytes, before?.bytes, now.at - (before?.at ?? 0));
    const loss = Math.max(0, ...heard.map(({ fractionLost }) => fractionLost ?? 0));
    const seconds = pair?.currentRoundTripTime ?? heard[0]?.roundTripTime ?? null;
    const limited = out.some(({ qualityLimitationReason }) => qualityLimitationReason === 'bandwidth');
    const rttMs = seconds === null ? null : Math.round(seconds * 1000);
    // A fresh connection feels its way up for some seconds: only what stays low is poor.
    this.#starved = limited && bytes !== null && bytes * 8 < STARVED_BPS ? this.#starved + 1 : 0;
    return {
      bps: bytes === null ? null : bytes * 8, rtt_ms: rttMs, loss, limited,
      verdict: verdictOf(loss, rttMs ?? 0, this.#starved >= STARVED_SAMPLES),
    };
  }
}

/** Follows one receiving connection; adds frames per second and how far behind live the buffer holds us. */
export class DownloadMeter {
  #before = null;

  /** `moving`: pictures are expected, so that freezes count. */
  async sample(pc, { moving }) {
    const reports = await reportsOf(pc);
    const inbound = reports.filter(({ type }) => type === 'inbound-rtp');
    const video = inbound.filter(({ kind }) => kind === 'video');
    const pair = reports.find((report) => report.type === 'candidate-pair' && report.nominated);
    const now = {
      pc, at: performance.now(), bytes: sum(inbound, 'bytesReceived'), got: sum(inbound, 'packetsReceived'),
      lost: sum(inbound, 'packetsLost'), frames: sum(video, 'framesDecoded'), freezes: sum(video, 'freezeCount'),
      delay: sum(video, 'jitterBufferDelay'), emitted: sum(video, 'jitterBufferEmittedCount'),
    };
    const before = this.#before?.pc === pc ? this.#before : null;
    this.#before = now;
    if (!before) return null;
    const ms = now.at - before.at;
    const got = now.got - before.got;
    const lost = Math.max(0, now.lost - before.lost);
    const emitted = now.emitted - before.emitted;
    const loss = got + lost > 0 ? lost / (got + lost) : 0;
    const rttMs = (pair?.currentRoundTripTime ?? 0) * 1000;
    return {
      bps: ((now.bytes - before.bytes) * 8000) / ms,
      packets: got, loss, freezes: now.freezes - before.freezes, rtt_ms: Math.round(rttMs),
      fps: ((now.frames - before.frames) * 1000) / ms,
      behind_ms: emitted > 0 ? ((now.delay - before.delay) / emitted) * 1000 + rttMs / 2 : 0,
      verdict: verdictOf(loss, rttMs, moving && now.freezes - before.freezes > 1),
    };
  }
}

function verdictOf(loss, rttMs, starved) {
  if (loss > LOSS_POOR || rttMs > RTT_POOR_MS || starved) return 'poor';
  return loss > LOSS_FAIR || rttMs > RTT_FAIR_MS ? 'fair' : 'good';
}
