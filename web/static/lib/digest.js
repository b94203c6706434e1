/** SHA-256 of a file by the browser's own WebCrypto; the file never leaves this machine. */

/** WebCrypto takes the whole file at once, so it has to fit into memory. */
export const MOST_BYTES = 1_000_000_000;

/** Resolves with the hash in lower-case hex; `progress(share)` follows the reading, 0 to 1. */
export async function sha256Hex(file, progress) {
  const whole = new Uint8Array(file.size);
  const reader = file.stream().getReader();
  let at = 0;
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    whole.set(part.value, at);
    at += part.value.length;
    progress(at / file.size);
  }
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', whole));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
