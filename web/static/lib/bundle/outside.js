/**
 * What others say of the head (core/bundle/outside.py): witnesses that signed, a bucket that keeps it, a time stamp.
 * Whose the keys are that signed, the reader has to know.
 */
import { encode, hex, sha256, unhex, written } from './bytes.js';
import { fits, headHash, keyId, signedBy } from './heads.js';
import { grew } from './merkle.js';
import { HEAD, Misfit, object } from './parts.js';
import { StampError, TOKEN_MOST_BYTES, checkStamp } from './stamp.js';

const MOST_ROWS = 16;
/** So much may the server's clock be ahead of an authority's; a stamp from before its head is none. */
const EARLY_MS = 600_000;
const STAMP = 'at_ms,head,serial,token';
const BUCKET = 'bucket,key,locked,retain_until_ms,sha256,version';
const TOKEN_MOST_LETTERS = 4 * Math.ceil(TOKEN_MOST_BYTES / 3);

/** { witnesses, places } of a bundle; `known`: the log's keys by id. Throws a Misfit. */
export async function outside(parts, head, known) {
  const given = object(parts, HEAD);
  const [witnesses, places] = [[], []];
  for (const [i, row] of rows(given.witnessed)) witnesses.push(await witnessed(row, head, `witnessed ${i + 1}`));
  for (const [i, row] of rows(given.places)) places.push(await kept(row, head, known, given.keys, `places ${i + 1}`));
  return { witnesses, places };
}

function rows(list) {
  const good = Array.isArray(list) && list.length <= MOST_ROWS && list.every((row) => row !== null && typeof row === 'object');
  if (!good) throw new Misfit('place', HEAD);
  return list.entries();
}

async function witnessed(row, head, place) {
  const [key, { answer }] = [unhex(row.public), row];
  const signed = key && answer?.type === 'liveserver/witnessed/1' && answer.log === head.log && answer.key === await keyId(key)
    && await fits(key, answer);
  if (!signed) throw new Misfit('witness', HEAD, place);
  await grown(answer, head, row.consistency, place);
  return { name: row.name, size: answer.size, at_ms: answer.at_ms };
}

/** A head that the log signed too, and a record of it that fits. */
async function kept(row, head, known, keys, place) {
  const { head: other, kept: record } = row;
  const isObject = record !== null && typeof record === 'object' && !Array.isArray(record);
  if (other?.log !== head.log || !isObject || !await signedBy(known, other)) throw new Misfit('place', HEAD, `${place}, head`);
  await grown(other, head, row.consistency, place);
  const about = { name: row.name, size: other.size };
  const names = Object.keys(record).sort().join();
  if (names === STAMP) return { ...about, stamp: await stamped(record, other, place) };
  if (names !== BUCKET) return about;
  await inBucket(record, other, known, keys, place);
  return { ...about, key: record.key, sha256: record.sha256 };
}

/** RFC 3161: the authority stamped this very head, and the record says what the stamp says. */
async function stamped(record, head, place) {
  const digest = await headHash(head);
  if (record.head !== digest) throw new Misfit('stamp_head', HEAD, `${place}, kept.head`);
  const token = bytesOf(record.token);
  if (token === null) throw new Misfit('stamp_form', HEAD, `${place}, kept.token`);
  const found = await stampIn(token, unhex(digest), place);
  if (record.at_ms !== found.atMs) throw new Misfit('stamp_told', HEAD, `${place}, kept.at_ms`);
  if (record.serial !== found.serial) throw new Misfit('stamp_told', HEAD, `${place}, kept.serial`);
  if (found.atMs < head.at_ms - EARLY_MS) throw new Misfit('stamp_early', HEAD, `${place}, kept.at_ms`);
  return found;
}

/** Of base64 as it is written; null for anything else, and for more than a stamp has. */
function bytesOf(text) {
  if (typeof text !== 'string' || text.length > TOKEN_MOST_LETTERS) return null;
  try {
    const letters = atob(text);
    return btoa(letters) === text ? Uint8Array.from(letters, (letter) => letter.charCodeAt(0)) : null;
  } catch {
    return null;
  }
}

async function stampIn(token, digest, place) {
  try {
    return await checkStamp(token, digest);
  } catch (problem) {
    throw problem instanceof StampError ? new Misfit(`stamp_${problem.code}`, HEAD, `${place}, kept.token`) : problem;
  }
}

/** The record is of this head's object: its name, its SHA-256, a lock that outlasts the head. */
async function inBucket(record, head, known, keys, place) {
  const { key, version, locked, retain_until_ms: untilMs } = record;
  const name = `ledger/${head.log.slice(0, 16)}/heads/${String(head.size).padStart(12, '0')}.json`;
  // The log may have been handed to further keys since: kept was a row of them with the head's own.
  const own = [...known.keys()].indexOf(head.key);
  const until = keys.filter(({ size }) => size <= head.size).length;
  const shown = keys.map((_, i) => keys.slice(0, i + 1)).slice(own, until);
  const digests = await Promise.all(shown.map(async (some) => hex(await sha256(encode(written({ head, keys: some }))))));
  const fitting = {
    key: `/${key}`.endsWith(`/${name}`),
    sha256: digests.includes(record.sha256),
    version: version === null || (typeof version === 'string' && version !== ''),
    locked: typeof locked === 'boolean' && (version !== null || !locked),
    retain_until_ms: (!locked && untilMs === null) || (Number.isSafeInteger(untilMs) && untilMs > head.at_ms),
  };
  for (const [field, good] of Object.entries(fitting)) if (!good) throw new Misfit('place', HEAD, `${place}, kept.${field}`);
}

/** Of the ledger they saw and this one, one begins the other. */
async function grown(theirs, head, consistency, place) {
  const [small, large] = theirs.size <= head.size ? [theirs, head] : [head, theirs];
  const path = (Array.isArray(consistency) ? consistency : [null]).map((node) => unhex(node));
  if (path.includes(null) || !await grew(small.size, large.size, unhex(small.root), unhex(large.root), path)) {
    throw new Misfit('rewritten', HEAD, place);
  }
}
