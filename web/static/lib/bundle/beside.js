/** What stands beside the ledger and is bound to it by a hash: words, receipts, recordings. */
import { decode, encode, hex, hmac, join, sha256, unhex } from './bytes.js';
import { CHAT, INCIDENTS, RECORDINGS, lines, Misfit, objects } from './parts.js';

export async function words(parts, facts) {
  for (const [member, known, commitment] of [[CHAT, facts.chat, (fact) => fact.commitment],
    [INCIDENTS, facts.incidents, (fact) => fact.receipt.commitment]]) {
    for (const [number, row] of objects(parts, member)) {
      const fact = known.get(row.id);
      const salt = unhex(row.salt, Math.floor((row.salt?.length ?? 0) / 2));
      const opens = fact && (row.text === null || (salt?.length && hex(await hmac(salt, row.text)) === commitment(fact)));
      if (!opens || row.person !== fact.person) throw new Misfit('words', member, String(number));
    }
  }
}

export async function videos(parts, facts) {
  const found = [];
  for (const [number, row] of objects(parts, RECORDINGS)) {
    const fact = facts.sealed.get(row.id);
    const wrong = fact && ['sha256', 'size', 'duration_ms'].find((name) => fact[name] !== row[name]);
    if (wrong) throw new Misfit('recording', RECORDINGS, `${number}, ${wrong}`);
    if (row.manifest !== null) await chained(parts, row, fact, facts);
    if (fact && row.sha256) found.push({ id: row.id, sha256: row.sha256 });
  }
  return found;
}

async function chained(parts, row, fact, facts) {
  const name = `recordings/${row.id}.jsonl`;
  if (row.manifest !== name || !parts.has(name)) throw new Misfit('missing', name);
  let chain = new Uint8Array(32);
  const passed = new Set();
  let number = 0;
  for (const line of lines(parts, name)) {
    const [text, claimed] = record(line);
    chain = await sha256(join(chain, encode(text)));
    if (hex(chain) !== claimed) throw new Misfit('fragment', name, String(number));
    passed.add(claimed);
    number += 1;
  }
  const stored = facts.stored.get(row.manifest_key);
  const isWhole = (!fact?.chain || passed.has(fact.chain)) && (!stored || stored === hex(await sha256(parts.get(name).bytes)));
  if (!isWhole) throw new Misfit('chain', name);
}

/** A line of a manifest without its chain value, as it was hashed; numbers in it may have fractions. */
function record(line) {
  try {
    const text = decode(line);
    const { chain } = JSON.parse(text);
    return [text.replace(`"chain":"${chain}",`, ''), chain];
  } catch {
    return ['', null];
  }
}
