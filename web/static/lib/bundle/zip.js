/** The one form a bundle's ZIP may have (docs/EVIDENCE.md section 1): read strictly, or refused. */

const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}(?:\/[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}){0,5}$/;
const [LOCAL, LISTED, END] = [0x04034b50, 0x02014b50, 0x06054b50];
const LOCAL_BYTES = 30;
const DAY = 0x21;
const MOST_MEMBERS = 4096;

const CRCS = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

export function crc32(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = CRCS[(crc ^ byte) & 255] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

/** Members by name, in their order: { bytes, crc }. Throws a RangeError with the byte at which it is no bundle. */
export function members(file) {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const found = new Map();
  const headers = [];
  let at = 0;
  for (let next = local(file, view, at); next; next = local(file, view, at)) {
    if (found.has(next.name) || found.size >= MOST_MEMBERS) throw new RangeError(String(at));
    found.set(next.name, next);
    headers.push(listed(next, at));
    at = next.end;
  }
  const size = headers.reduce((sum, header) => sum + header.length, 0);
  const directory = [...headers.flatMap((header) => [...header]), ...ending(headers.length, size, at)];
  const rest = file.subarray(at);
  const wrong = directory.findIndex((byte, i) => rest[i] !== byte);
  if (wrong >= 0 || rest.length !== directory.length) throw new RangeError(String(at + Math.max(0, wrong)));
  return found;
}

function local(file, view, at) {
  if (at + 4 <= file.length && at > 0 && view.getUint32(at, true) !== LOCAL) return null;
  if (at + LOCAL_BYTES > file.length || view.getUint32(at, true) !== LOCAL) throw new RangeError(String(at));
  const [crc, size, nameBytes] = [view.getUint32(at + 14, true), view.getUint32(at + 18, true), view.getUint16(at + 26, true)];
  const begin = at + LOCAL_BYTES + nameBytes;
  if (begin + size > file.length) throw new RangeError(String(at));
  const name = String.fromCharCode(...file.subarray(at + LOCAL_BYTES, Math.min(begin, at + LOCAL_BYTES + 1024)));
  const header = numbers([[4, LOCAL], [2, 20], [2, 0], [2, 0], [2, 0], [2, DAY], [4, crc], [4, size], [4, size], [2, nameBytes], [2, 0]]);
  if (!NAME.test(name) || header.some((byte, i) => file[at + i] !== byte)) throw new RangeError(String(at));
  return { name, crc, bytes: file.subarray(begin, begin + size), end: begin + size };
}

function listed({ name, crc, bytes: { length } }, start) {
  const header = numbers([[4, LISTED], [2, 20 | (3 << 8)], [2, 20], [2, 0], [2, 0], [2, 0], [2, DAY], [4, crc], [4, length], [4, length],
    [2, name.length], [2, 0], [2, 0], [2, 0], [2, 0], [4, 0o100644 * 65536], [4, start]]);
  return Uint8Array.of(...header, ...Array.from(name, (letter) => letter.charCodeAt(0)));
}

const ending = (count, size, at) => numbers([[4, END], [2, 0], [2, 0], [2, count], [2, count], [4, size], [4, at], [2, 0]]);

/** Little-endian, each with its width in bytes. */
function numbers(list) {
  return list.flatMap(([width, value]) => Array.from({ length: width }, (_, i) => Math.floor(value / 256 ** i) & 255));
}
