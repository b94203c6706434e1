/** What is needed of a certificate (RFC 5280 4.1), as core/certificate.py has it, and what its key signed, by WebCrypto. */
import { hex, join } from './bytes.js';
import { BITS, BOOLEAN, INTEGER, OCTETS, SEQUENCE, SET, TIME, inner, number, oid, whole } from './der.js';

/** WebCrypto's names by algorithm. */
export const HASHES = new Map(['SHA-256', 'SHA-384', 'SHA-512'].map((name, i) => [oid(`2.16.840.1.101.3.4.2.${1 + i}`), name]));
const NAMES = [...HASHES.values()];
const [RSA, EC, KEY_USES] = [oid('1.2.840.113549.1.1.1'), oid('1.2.840.10045.2.1'), oid('2.5.29.37')];
const [COMMON_NAME, ORGANISATION] = [oid('2.5.4.3'), oid('2.5.4.10')];
const SIGNED_BY_RSA = new Map(NAMES.map((name, i) => [oid(`1.2.840.113549.1.1.${11 + i}`), name]));
const SIGNED_BY_EC = new Map(NAMES.map((name, i) => [oid(`1.2.840.10045.4.3.${2 + i}`), name]));
/** y² = x³ - 3x + b over the prime field of p (FIPS 186-5). */
const CURVES = new Map([
  [oid('1.2.840.10045.3.1.7'), { name: 'P-256', size: 32, p: 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n,
    b: 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn }],
  [oid('1.3.132.0.34'), { name: 'P-384', size: 48, p: 2n ** 384n - 2n ** 128n - 2n ** 96n + 2n ** 32n - 1n,
    b: 0xb3312fa7e23ee7e4988e056be3f82d19181d9c6efe8141120314088f5013875ac656398d8a2ed19d2a85c8edd3ec2aefn }],
]);
const [RSA_LEAST_BITS, RSA_MOST_BITS] = [2048, 8192];
const EXPONENT_END = 2n ** 32n;
/** A certificate that names no day of expiry names this one (RFC 5280 4.1.2.5). */
const [FOREVER, FOREVER_MS] = ['99991231235959Z', 253_402_300_799_000];
const NAME_LETTERS = 100;

/**
 * { whole, fromMs, untilMs, subject, key, uses }: `subject` the name in it, printable; `uses` what its key may be
 * used for and for nothing else (a critical extended key usage), none without that. Throws a DerError.
 */
export function read(value) {
  const body = value.fields().take(SEQUENCE).fields();
  body.maybe(inner(0));
  for (const tag of [INTEGER, SEQUENCE, SEQUENCE]) body.take(tag);
  const validity = body.take(SEQUENCE).fields();
  const [fromMs, untilMs] = [validity.any().timeMs(), endMs(validity.any())];
  const [subject, key] = [body.take(SEQUENCE), body.take(SEQUENCE)];
  body.maybe(0x81);
  body.maybe(0x82);
  const extensions = body.maybe(inner(3));
  body.end();
  return { whole: value.whole, fromMs, untilMs, subject: nameOf(subject), key, uses: usesOf(extensions) };
}

const endMs = (value) => (value.tag === TIME && String.fromCharCode(...value.content.subarray(0, 16)) === FOREVER ? FOREVER_MS : value.timeMs());

/**
 * Whether `key` (SubjectPublicKeyInfo) signed `message`: 'fits', 'differs', 'unknown' for an algorithm that no checker
 * of this product knows, 'unchecked' for one that this browser's WebCrypto lacks. `hashedBy` counts where the
 * algorithm itself names no hash. Throws a DerError.
 */
export async function signed(key, algorithm, hashedBy, message, signature) {
  const fields = key.fields();
  const [kind, bits] = [fields.take(SEQUENCE).fields(), fields.take(BITS).bits()];
  const name = kind.oid();
  const byRsa = algorithm === RSA ? hashedBy : SIGNED_BY_RSA.get(algorithm);
  if (name === RSA && byRsa) return signedByRsa(bits, byRsa, message, signature);
  const byEc = SIGNED_BY_EC.get(algorithm);
  const curve = name === EC ? CURVES.get(kind.oid()) : undefined;
  return curve && byEc ? signedByEc(curve, bits, byEc, message, signature) : 'unknown';
}

/** RSASSA-PKCS1-v1_5 (RFC 8017 8.2.2). */
async function signedByRsa(bits, hash, message, signature) {
  const numbers = whole(bits, SEQUENCE).fields();
  const [modulus, exponent] = [numbers.take(INTEGER).integer(), numbers.take(INTEGER).integer()];
  const length = modulus > 0n ? modulus.toString(2).length : 0;
  if (length < RSA_LEAST_BITS || length > RSA_MOST_BITS || exponent < 3n || exponent >= EXPONENT_END || exponent % 2n === 0n) return 'differs';
  if (signature.length !== Math.ceil(length / 8) || number(signature) >= modulus) return 'differs';
  const key = { kty: 'RSA', n: base64url(bytesOf(modulus)), e: base64url(bytesOf(exponent)) };
  return checked('jwk', key, { name: 'RSASSA-PKCS1-v1_5', hash }, signature, message);
}

/** ECDSA (FIPS 186-5 6.4.2): DER's two numbers become the pair of fixed length that WebCrypto takes. */
async function signedByEc(curve, point, hash, message, signature) {
  const fields = whole(signature, SEQUENCE).fields();
  const pair = [fields.take(INTEGER).integer(), fields.take(INTEGER).integer()];
  fields.end();
  const end = 1n << BigInt(8 * curve.size);
  if (pair.some((one) => one <= 0n || one >= end) || !isOn(curve, point)) return 'differs';
  const raw = join(...pair.map((one) => bytesOf(one, curve.size)));
  return checked('raw', point, { name: 'ECDSA', namedCurve: curve.name, hash }, raw, message);
}

/** What is malformed was refused before, so that a key WebCrypto does not take is one it cannot check. */
async function checked(form, key, algorithm, signature, message) {
  try {
    const imported = await crypto.subtle.importKey(form, key, algorithm, false, ['verify']);
    return await crypto.subtle.verify(algorithm, imported, signature, message) ? 'fits' : 'differs';
  } catch {
    return 'unchecked';
  }
}

/** Whether bytes are an uncompressed point (SEC 1, 2.3.4) of the curve. */
function isOn({ size, p, b }, bytes) {
  if (bytes.length !== 1 + 2 * size || bytes[0] !== 4) return false;
  const [x, y] = [number(bytes.subarray(1, 1 + size)), number(bytes.subarray(1 + size))];
  return x < p && y < p && (y * y - (x * x * x - 3n * x + b)) % p === 0n;
}

function bytesOf(value, size = 0) {
  const digits = value.toString(16);
  const text = digits.padStart(Math.max(2 * size, digits.length + digits.length % 2), '0');
  return Uint8Array.from({ length: text.length / 2 }, (_, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}

const base64url = (bytes) => btoa(String.fromCharCode(...bytes)).replaceAll('+', '-').replaceAll('/', '_').replaceAll('=', '');

function usesOf(extensions) {
  const each = extensions === null ? null : whole(extensions.content, SEQUENCE).fields();
  while (each?.more()) {
    const one = each.take(SEQUENCE).fields();
    const [kind, critical] = [one.oid(), one.maybe(BOOLEAN)];
    if (kind === KEY_USES && critical !== null && hex(critical.content) === 'ff') {
      const [named, found] = [whole(one.take(OCTETS).content, SEQUENCE).fields(), []];
      while (named.more()) found.push(named.oid());
      return found;
    }
  }
  return [];
}

/** The common name with the organisation, as far as they can be printed. */
function nameOf(subject) {
  const found = new Map();
  const parts = subject.fields();
  while (parts.more()) {
    const pair = parts.take(SET).fields().take(SEQUENCE).fields();
    const [kind, { content }] = [pair.oid(), pair.any()];
    const letters = [...new TextDecoder('utf-8', { ignoreBOM: true }).decode(content)].slice(0, NAME_LETTERS);
    const text = letters.map((letter) => (letter !== ' ' && /[\p{C}\p{Z}]/u.test(letter) ? '?' : letter)).join('');
    if (!found.has(kind)) found.set(kind, text);
  }
  return [COMMON_NAME, ORGANISATION].filter((kind) => found.has(kind)).map((kind) => found.get(kind)).join(', ');
}
