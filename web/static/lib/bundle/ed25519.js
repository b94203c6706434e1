/**
 * Ed25519 (RFC 8032): by the browser's WebCrypto where it has it, else with whole numbers of any length. This
 * only ever checks signatures, so it holds no secret that its time could give away.
 */
import { join, same } from './bytes.js';

const P = 2n ** 255n - 19n;
const ORDER = 2n ** 252n + 27742317777372353535851937790883648493n;
const mod = (value, by = P) => ((value % by) + by) % by;

export async function verify(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  try {
    const imported = await crypto.subtle.importKey('raw', key, { name: 'Ed25519' }, false, ['verify']);
    return await crypto.subtle.verify({ name: 'Ed25519' }, imported, signature, message);
  } catch {
    return verifyWithNumbers(key, message, signature);
  }
}

/** The check of RFC 8032 section 5.1.7, some 30 ms. */
export async function verifyWithNumbers(key, message, signature) {
  const point = decoded(key);
  const scalar = number(signature.subarray(32));
  if (!point || scalar >= ORDER) return false;
  const hashed = new Uint8Array(await crypto.subtle.digest('SHA-512', join(signature.subarray(0, 32), key, message)));
  const challenge = mod(number(hashed), ORDER);
  const minus = [mod(-point[0]), point[1], 1n, mod(-point[3])];
  return same(encoded(add(times(scalar, BASE), times(challenge, minus))), signature.subarray(0, 32));
}

const number = (bytes) => bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);

function power(base, exponent) {
  let [result, square, rest] = [1n, mod(base), exponent];
  for (; rest; rest >>= 1n) {
    if (rest & 1n) result = mod(result * square);
    square = mod(square * square);
  }
  return result;
}

const inverse = (value) => power(value, P - 2n);
const D = mod(-121665n * inverse(121666n));
const ROOT = power(2n, (P - 1n) / 4n);

/** Points as [X, Y, Z, T] with x = X/Z, y = Y/Z, xy = T/Z. */
function add(a, b) {
  const [m, n] = [mod((a[1] - a[0]) * (b[1] - b[0])), mod((a[1] + a[0]) * (b[1] + b[0]))];
  const [c, d] = [mod(2n * a[3] * b[3] * D), mod(2n * a[2] * b[2])];
  const [e, f, g, h] = [n - m, d - c, d + c, n + m];
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function times(scalar, point) {
  let [total, double, rest] = [[0n, 1n, 1n, 0n], point, scalar];
  for (; rest; rest >>= 1n) {
    if (rest & 1n) total = add(total, double);
    double = add(double, double);
  }
  return total;
}

function encoded([x, y, z]) {
  const over = inverse(z);
  let rest = mod(y * over) | ((mod(x * over) & 1n) << 255n);
  return Uint8Array.from({ length: 32 }, () => {
    const byte = Number(rest & 255n);
    rest >>= 8n;
    return byte;
  });
}

function decoded(bytes) {
  const whole = number(bytes);
  const [y, odd] = [whole & (2n ** 255n - 1n), whole >> 255n];
  if (y >= P) return null;
  const square = mod((y * y - 1n) * inverse(D * y * y + 1n));
  let x = power(square, (P + 3n) / 8n);
  if (mod(x * x) !== square) x = mod(x * ROOT);
  if (mod(x * x) !== square || (x === 0n && odd)) return null;
  if ((x & 1n) !== odd) x = mod(-x);
  return [x, y, 1n, mod(x * y)];
}

const BASE = decoded(encodedBase());

function encodedBase() {
  let rest = mod(4n * inverse(5n));
  return Uint8Array.from({ length: 32 }, () => {
    const byte = Number(rest & 255n);
    rest >>= 8n;
    return byte;
  });
}
