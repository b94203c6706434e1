/** A bundle's members as a checker reads them: strictly, or not at all. */
import { canonical } from './bytes.js';
import { members } from './zip.js';

export const LESSON = `lesson.json`;
export const PEOPLE = `people.jsonl`;
export const HEAD = `head.json`;
export const ENTRIES = `entries.jsonl`;
export const TREE = `tree.jsonl`;
export const HOURS = `hours.jsonl`;
export const CHAT = `chat.jsonl`;
export const INCIDENTS = `incidents.jsonl`;
export const RECORDINGS = `recordings.jsonl`;
export const MANIFEST = `manifest.json`;
export const SEAL = `seal.json`;

const DATA = [LESSON, PEOPLE, HEAD, ENTRIES, TREE, HOURS, CHAT, INCIDENTS, RECORDINGS, MANIFEST, SEAL];

/** The first thing that does not fit: `code` a text of the catalogue, `member` and `place` where. */
export class Misfit extends Error {
  constructor(code, member = '', place = '') {
    super(`${member} ${place}: ${code}`);
    Object.assign(this, { code, member, place });
  }
}

export function opened(file) {
  try {
    const parts = members(file);
    for (const name of DATA) if (!parts.has(name)) throw new Misfit('missing', name);
    return parts;
  } catch (problem) {
    if (problem instanceof RangeError) throw new Misfit('not_zip', '', problem.message);
    throw problem;
  }
}

export function object(parts, name) {
  const { bytes } = parts.get(name);
  const value = bytes.at(-1) === 10 ? canonical(bytes.subarray(0, -1)) : null;
  if (!value) throw new Misfit('not_canonical', name);
  return value;
}

export function* lines(parts, name) {
  const { bytes } = parts.get(name);
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(10, at);
    if (end < 0) throw new Misfit('not_canonical', name);
    yield bytes.subarray(at, end);
    at = end + 1;
  }
}

export function* objects(parts, name) {
  let number = 0;
  for (const line of lines(parts, name)) {
    number += 1;
    const value = canonical(line);
    if (!value) throw new Misfit('not_canonical', name, String(number));
    yield [number, value];
  }
}
