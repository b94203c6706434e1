/**
 * Does an evidence bundle prove what it says (docs/EVIDENCE.md)? Every byte is looked at here, nothing leaves this
 * machine.
 */
import { canonical, hex, same, sha256, unhex, written } from './bytes.js';
import { videos, words } from './beside.js';
import { fits, followed, signedBy } from './heads.js';
import { Hours } from './hours.js';
import { leafHash, Root } from './merkle.js';
import { outside } from './outside.js';
import { ENTRIES, HEAD, LESSON, MANIFEST, SEAL, TREE, lines, Misfit, object, objects, opened } from './parts.js';
import { crc32 } from './zip.js';

export { Misfit } from './parts.js';

const AT_ONCE = 500;

/** What a bundle was found to be; throws a Misfit. `progress(share)`: 0 to 1. */
export async function checkBundle(file, progress = () => {}) {
  const parts = opened(file);
  const manifest = object(parts, MANIFEST);
  if (manifest.format !== 'liveserver/bundle/1') throw new Misfit('format', MANIFEST, 'format');
  listed(parts, manifest);
  const { head, known } = await signedHead(parts, manifest);
  progress(0.05);
  const facts = await ledger(parts, manifest, head, (share) => progress(0.05 + 0.75 * share));
  const hours = await facts.hours.finish();
  await words(parts, facts);
  const recordings = await videos(parts, facts);
  progress(0.9);
  await altered(parts, manifest);
  const others = await outside(parts, head, known);
  progress(1);
  const { lesson, settlement } = object(parts, LESSON);
  return { lesson: lesson.id, title: lesson.title, person: manifest.person, entries: facts.count, head, hours, recordings,
    ...others, provisional: !settlement };
}

/** The manifest lists exactly what is there, in its order. */
function listed(parts, { members: rows }) {
  const names = Array.isArray(rows) ? rows.map((row) => row?.name) : [];
  const there = [...parts.keys()];
  if (written([...names, MANIFEST, SEAL]) !== written(there)) throw new Misfit('manifest', MANIFEST);
}

// --- signatures ---

async function signedHead(parts, manifest) {
  const { head, keys } = object(parts, HEAD);
  const known = await followed(head?.log, keys);
  if (!known) throw new Misfit('keys', HEAD, 'keys');
  if (!await signedBy(known, head)) throw new Misfit('head', HEAD, 'head');
  if (head.size !== manifest.size || head.root !== manifest.root) throw new Misfit('manifest', MANIFEST, 'size');
  const seal = object(parts, SEAL);
  if (seal.manifest !== hex(await sha256(parts.get(MANIFEST).bytes))) throw new Misfit('not_sealed', MANIFEST);
  const sealed = seal.type === 'liveserver/bundle/1' && seal.log === head.log && seal.size === head.size && seal.at_ms === head.at_ms
    && await fits(known.get(seal.key) ?? null, seal);
  if (!sealed) throw new Misfit('seal', SEAL);
  return { head, known };
}

// --- the ledger ---

async function ledger(parts, manifest, head, progress) {
  const root = new Root();
  const facts = { count: 0, chat: new Map(), incidents: new Map(), sealed: new Map(), stored: new Map(), hours: new Hours(parts, manifest), seed: null };
  const entries = lines(parts, ENTRIES);
  let units = [];
  for (const [number, row] of objects(parts, TREE)) {
    units.push(unit(row, number));
    if (units.length === AT_ONCE) {
      await taken(units, entries, root, facts, manifest);
      progress(root.size / Math.max(1, head.size));
      units = [];
    }
  }
  await taken(units, entries, root, facts, manifest);
  if (!entries.next().done) throw new Misfit('more_entries', ENTRIES);
  if (root.size !== head.size || hex(await root.hash()) !== head.root) throw new Misfit('root', TREE);
  return facts;
}

function unit(row, number) {
  const hash = unhex(row.hash);
  const told = 'index' in row;
  const [start, end] = told ? [row.index, row.index + 1] : [row.start, row.end];
  if (!hash || !Number.isSafeInteger(start) || !Number.isSafeInteger(end)) throw new Misfit('not_canonical', TREE, String(number));
  return { start, end, hash, told, number };
}

/** Some units and the entries that belong to them; hashed side by side, joined one after the other. */
async function taken(units, entries, root, facts, manifest) {
  const told = units.filter((one) => one.told).map((one) => ({ ...one, line: entries.next().value }));
  const hashes = await Promise.all(told.map(({ line }) => line && leafHash(line)));
  for (const [i, { start, hash, line }] of told.entries()) {
    const entry = line && canonical(line);
    if (!line || !same(hashes[i], hash) || entry?.index !== start) throw new Misfit('entry', ENTRIES, String(start));
    if (entry.lesson !== manifest.lesson) throw new Misfit('entry_lesson', ENTRIES, String(start));
    facts.hours.take(entry);
    await meant(entry, facts);
  }
  for (const one of units) if (!await root.add(one)) throw new Misfit('tree', TREE, String(one.number));
}

async function meant({ type, data, index }, facts) {
  facts.count += 1;
  if (type === 'chat') facts.chat.set(data.id, data);
  else if (type === 'incident') facts.incidents.set(data.id, data);
  else if (type === 'sealed' || type === 'failed') facts.sealed.set(data.recording, data);
  else if (type === 'stored') for (const one of data.objects) facts.stored.set(one.key, one.sha256);
  else if (type === 'checks_committed') facts.seed = data.commitment;
  else if (type === 'checks_revealed' && hex(await sha256(unhex(data.seed) ?? new Uint8Array())) !== facts.seed) {
    throw new Misfit('seed', ENTRIES, String(index));
  }
}

/** Whatever was not looked into until now. */
async function altered(parts, manifest) {
  for (const { name, sha256: expected, size } of manifest.members) {
    const { bytes } = parts.get(name);
    if (bytes.length !== size || hex(await sha256(bytes)) !== expected) throw new Misfit('altered', name);
  }
  for (const [name, { bytes, crc }] of parts) if (crc32(bytes) !== crc) throw new Misfit('altered', name);
}
