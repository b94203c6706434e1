/** Bytes, hexadecimal and hashes by the browser's own WebCrypto. */

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export const encode = (text) => encoder.encode(text);
export const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
/** Throws for bytes that are no UTF-8. */
export const decode = (bytes) => UTF8.decode(bytes);

/** Bytes of lower-case hex of a known length; null for anything else. */
export function unhex(text, length = 32) {
  if (typeof text !== 'string' || text.length !== 2 * length || !/^[0-9a-f]*$/.test(text)) return null;
  return Uint8Array.from({ length }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

export function join(...parts) {
  const whole = new Uint8Array(parts.reduce((size, part) => size + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export const same = (a, b) => a.length === b.length && a.every((byte, i) => byte === b[i]);
export const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));

/** HMAC-SHA256 of a text; the key may have any length but none. */
export async function hmac(key, text) {
  const imported = await crypto.subtle.importKey('raw', key, { name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
  return new Uint8Array(await crypto.subtle.sign('HMAC', imported, encode(text)));
}

/**
 * JSON in the one form it may have (RFC 8785): sorted keys, no white space, whole numbers. The text is read
 * and written again; null where that differs, or where it is no JSON object.
 */
export function canonical(bytes) {
  try {
    const text = decode(bytes);
    const value = JSON.parse(text);
    return value !== null && typeof value === 'object' && !Array.isArray(value) && written(value) === text ? value : null;
  } catch {
    return null;
  }
}

/** The canonical text of a value. */
export function written(value) {
  if (Array.isArray(value)) return `[${value.map(written).join(',')}]`;
  if (value === null || typeof value !== 'object') return JSON.stringify(value);
  return `{${Object.keys(value).sort().map((name) => `${JSON.stringify(name)}:${written(value[name])}`).join(',')}}`;
}
