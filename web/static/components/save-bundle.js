/** An evidence bundle, made by the server and saved by the browser (docs/EVIDENCE.md). */
import { request } from '../lib/api.js';
import { el } from '../lib/dom.js';

const MADE_WITHIN_MS = 300_000;

/** `path`: below /api/v1. Throws a Problem. */
export async function saveBundle(path, lesson) {
  const response = await request(`/api/v1${path}`, { timeoutMs: MADE_WITHIN_MS });
  const address = URL.createObjectURL(await response.blob());
  el('a', { href: address, download: `evidence-${lesson}.zip` }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
