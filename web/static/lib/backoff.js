/** Waiting before the next attempt: full jitter between 0.5 s and at most 8 s (docs/PROTOCOL.md). */

const LEAST_MS = 500;
const MOST_MS = 8000;

export function backoffMs(attempt, mostMs = MOST_MS) {
  const ceiling = Math.min(mostMs, LEAST_MS * 2 ** Math.min(attempt + 1, 10));
  return LEAST_MS + Math.random() * (ceiling - LEAST_MS);
}

/** `ms` give or take a share, so that ten thousand pages do not ask at the same moment. */
export const jittered = (ms, share = 0.2) => ms * (1 - share + 2 * share * Math.random());

/** Resolves after `ms`, or at once when `signal` aborts or the network comes back. */
export function pause(ms, signal) {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      removeEventListener('online', done);
      signal?.removeEventListener('abort', done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    addEventListener('online', done);
    signal?.addEventListener('abort', done);
    if (signal?.aborted) done();
  });
}
