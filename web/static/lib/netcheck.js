/**
 * The network before the class: heartbeats with a ballast over the control channel, and how long their
 * echoes take. Ten of 32 kB are about 2.6 Mbit, so a line good for 720p passes in under two seconds.
 */

const PIECES = 10;
const BALLAST = 'x'.repeat(32_000);
const LIMIT_MS = 12_000;
/** Heartbeat numbers of the check, apart from the channel's own. */
const FIRST_SEQ = 1_000_000;

/** Resolves { up_bps, rtt_ms, verdict: '720p' | '480p' | 'audio' | 'unknown' }. */
export async function checkNetwork(messages) {
  const rttMs = await echo(messages, FIRST_SEQ, '');
  if (rttMs === null) return { up_bps: null, rtt_ms: null, verdict: 'unknown' };
  const started = performance.now();
  const echoes = Array.from({ length: PIECES }, (_, i) => echo(messages, FIRST_SEQ + 1 + i, BALLAST));
  const times = await Promise.all(echoes);
  if (times.includes(null)) return { up_bps: null, rtt_ms: rttMs, verdict: 'audio' };
  const ms = Math.max(1, performance.now() - started - rttMs);
  const bps = (PIECES * BALLAST.length * 8000) / ms;
  return { up_bps: bps, rtt_ms: rttMs, verdict: bps > 2_000_000 ? '720p' : bps > 800_000 ? '480p' : 'audio' };
}

function echo(messages, seq, ballast) {
  const started = performance.now();
  return new Promise((resolve) => {
    const finish = (ms) => {
      clearTimeout(timer);
      forget();
      resolve(ms);
    };
    const forget = messages.on('heartbeat', (answer) => answer.seq === seq && finish(performance.now() - started));
    const timer = setTimeout(() => finish(null), LIMIT_MS);
    if (!messages.send({ type: 'heartbeat', seq, ballast })) finish(null);
  });
}
