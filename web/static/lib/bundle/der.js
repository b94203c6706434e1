/**
 * Reading DER (X.690 section 10) as strictly as core/der.py does: a tag of one byte, a definite length in its
 * shortest form, nothing left over. Whoever knows what must be there reads one value below the other.
 */
import { hex } from './bytes.js';

export const [BOOLEAN, INTEGER, BITS, OCTETS, OID, UTC_TIME, TIME] = [0x01, 0x02, 0x03, 0x04, 0x06, 0x17, 0x18];
export const [SEQUENCE, SET] = [0x30, 0x31];
const LENGTH_BYTES = 3;
const MOMENT = /^((?:19|20)?\d{12})(?:\.(\d{1,6}))?Z$/;

/** It is not DER, or another value than the one that belongs there. */
export class DerError extends Error {}

/** The tag `[number]` of a context, constructed. */
export const inner = (number) => 0xa0 | number;

/** The content of an object identifier (X.690 8.19), in hex. */
export function oid(dotted) {
  const [first, second, ...rest] = dotted.split('.').map(Number);
  const content = rest.flatMap((arc) => {
    const groups = [arc & 127];
    for (let left = arc >>> 7; left; left >>>= 7) groups.unshift(left & 127 | 128);
    return groups;
  });
  return hex([first * 40 + second, ...content]);
}

/** `whole`: with tag and length. */
class Value {
  constructor(tag, content, whole) {
    Object.assign(this, { tag, content, whole });
  }

  /** A BigInt; throws for one that is not in its shortest form. */
  integer() {
    const [first, second] = this.content;
    if (this.tag !== INTEGER || first === undefined) throw new DerError('a whole number is expected');
    if (this.content.length > 1 && (first === 0 || first === 255) && first >> 7 === second >> 7) {
      throw new DerError('a whole number is not in its shortest form');
    }
    return BigInt.asIntN(8 * this.content.length, number(this.content));
  }

  /** Of a string of whole bytes. */
  bits() {
    if (this.tag !== BITS || this.content[0] !== 0) throw new DerError('a string of bits is expected');
    return this.content.subarray(1);
  }

  /** GeneralizedTime or UTCTime (RFC 5280 4.1.2.5) with seconds, milliseconds since 1970. */
  timeMs() {
    const [, digits, parts = '0'] = MOMENT.exec(String.fromCharCode(...this.content.subarray(0, 32))) ?? [];
    if (digits === undefined || digits.length !== { [UTC_TIME]: 12, [TIME]: 14 }[this.tag]) throw new DerError('a time is expected');
    const full = this.tag === TIME ? digits : (digits[0] < '5' ? '20' : '19') + digits;
    const text = full.replace(/(....)(..)(..)(..)(..)(..)/, '$1-$2-$3T$4:$5:$6.000Z');
    const ms = Date.parse(text);
    if (Number.isNaN(ms) || new Date(ms).toISOString() !== text) throw new DerError('there is no such time');
    return ms + Number(parts.slice(0, 3).padEnd(3, '0'));
  }

  /** What it is made of, in order. */
  fields() {
    return new Fields(this.content);
  }
}

/** The values of a constructed one. Whoever reads takes one after the other and ends. */
export class Fields {
  constructor(data) {
    this.data = data;
    this.place = 0;
  }

  more() {
    return this.place < this.data.length;
  }

  any() {
    const value = valueAt(this.data, this.place);
    this.place += value.whole.length;
    return value;
  }

  /** The next one, which must have this tag. */
  take(tag) {
    const value = this.any();
    if (value.tag !== tag) throw new DerError(`tag ${tag} is expected, ${value.tag} is there`);
    return value;
  }

  /** The next one if it has this tag, else null. */
  maybe(tag) {
    return this.data[this.place] === tag ? this.any() : null;
  }

  /** The next one, an object identifier, in hex. */
  oid() {
    return hex(this.take(OID).content);
  }

  end() {
    if (this.more()) throw new DerError('there is more than belongs there');
  }
}

/** The one value that `data` is. */
export function whole(data, tag) {
  const fields = new Fields(data);
  const value = fields.take(tag);
  fields.end();
  return value;
}

/** Of bytes, the first the highest. */
export const number = (bytes) => (bytes.length ? BigInt(`0x${hex(bytes)}`) : 0n);

function valueAt(data, place) {
  let [tag, length, start] = [data[place], data[place + 1], place + 2];
  if (data.length < start || (tag & 0x1f) === 0x1f) throw new DerError('no value begins there');
  if (length & 0x80) {
    const count = length & 0x7f;
    const digits = data.subarray(start, start + count);
    if (count < 1 || count > LENGTH_BYTES || digits.length !== count) throw new DerError('a length is not definite, or too large');
    [length, start] = [Number(number(digits)), start + count];
    if (digits[0] === 0 || length < 0x80) throw new DerError('a length is not in its shortest form');
  }
  if (start + length > data.length) throw new DerError('a value is cut off');
  return new Value(tag, data.subarray(start, start + length), data.subarray(place, start + length));
}
