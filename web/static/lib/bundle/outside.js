/**
 * What others say of the head (core/bundle/outside.py): witnesses that signed, a bucket that keeps it, a time stamp.
 * A stamp's own signature is not checked here, and what the page shows says so.
 */
import { encode, hex, sha256, unhex, written } from './bytes.js';
import { fits, headHash, keyId, signedBy } from './heads.js';
import { grew } from './merkle.js';
import { HEAD, Misfit, object } from './parts.js';

/** { witnesses, places } of a bundle; `known`: the log's keys by id. Throws a Misfit. */
export async function outside(parts, head, known) {
  const given = object(parts, HEAD);
  const [witnesses, places] = [[], []];
  for (const [i, row] of rows(given.witnessed)) witnesses.push(await witnessed(row, head, `witnessed ${i + 1}`));
  for (const [i, row] of rows(given.places)) places.push(await kept(row, head, known, given.keys, `places ${i + 1}`));
  return { witnesses, places };
}

function rows(list) {
  if (!Array.isArray(list) || list.some((row) => row === null || typeof row !== 'object')) throw new Misfit('place', HEAD);
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
  if (other?.log !== head.log || !record || !await signedBy(known, other)) throw new Misfit('place', HEAD, place);
  await grown(other, head, row.consistency, place);
  const about = { name: row.name, size: other.size };
  if ('token' in record) {
    if (record.head !== await headHash(other)) throw new Misfit('place', HEAD, place);
    return { ...about, stamped_ms: record.at_ms };
  }
  if (!('bucket' in record)) return about;
  const name = `ledger/${other.log.slice(0, 16)}/heads/${String(other.size).padStart(12, '0')}.json`;
  const digests = await Promise.all(keys.map(async (_, i) => hex(await sha256(encode(written({ head: other, keys: keys.slice(0, i + 1) }))))));
  if (!`/${record.key}`.endsWith(`/${name}`) || !digests.includes(record.sha256)) throw new Misfit('place', HEAD, place);
  return { ...about, key: record.key, sha256: record.sha256 };
}

/** Of the ledger they saw and this one, one begins the other. */
async function grown(theirs, head, consistency, place) {
  const [small, large] = theirs.size <= head.size ? [theirs, head] : [head, theirs];
  const path = (Array.isArray(consistency) ? consistency : [null]).map((node) => unhex(node));
  if (path.includes(null) || !await grew(small.size, large.size, unhex(small.root), unhex(large.root), path)) {
    throw new Misfit('rewritten', HEAD, place);
  }
}
