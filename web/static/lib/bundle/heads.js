/** What the ledger signs (core/heads.py): each a flat object, signed without `signature` and `accepted`. */
import { encode, hex, sha256, unhex, written } from './bytes.js';
import { verify } from './ed25519.js';

export const keyId = async (key) => hex(await sha256(key));

/** What is signed of a document: all but its signatures. */
function body(document) {
  return encode(written(Object.fromEntries(Object.entries(document).filter(([name]) => name !== 'signature' && name !== 'accepted'))));
}

export const headHash = async (head) => hex(await sha256(body(head)));

/** Whether the signature of a document is that of a key (32 bytes, or null for one that is not known). */
export async function fits(key, document, signature = document.signature) {
  const bytes = unhex(signature, 64);
  return Boolean(key && bytes) && verify(key, body(document), bytes);
}

/** The log's keys by id, each handed the log by the one before, the first by itself; null if they do not follow. */
export async function followed(log, keys) {
  const known = new Map();
  let last = log;
  for (const [number, key] of (Array.isArray(keys) ? keys : []).entries()) {
    const own = unhex(key?.public);
    const by = number === 0 ? own : known.get(last);
    const good = own && key.type === 'liveserver/key/1' && key.number === number && key.log === log && key.key === last
      && (number > 0 || await keyId(own) === log) && await fits(by, key) && await fits(own, key, key.accepted);
    if (!good) return null;
    last = await keyId(own);
    known.set(last, own);
  }
  return known;
}

/** Whether a head is signed by one of the keys that followed. */
export const signedBy = async (known, head) => head?.type === 'liveserver/head/1' && fits(known.get(head.key) ?? null, head);
