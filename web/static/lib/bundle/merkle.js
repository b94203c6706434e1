/** The ledger's Merkle tree: hashing of RFC 6962 section 2.1, proofs of RFC 9162 section 2.1. */
import { join, same, sha256 } from './bytes.js';

const [LEAF, NODE] = [Uint8Array.of(0), Uint8Array.of(1)];

export const leafHash = (entry) => sha256(join(LEAF, entry));
export const nodeHash = (left, right) => sha256(join(NODE, left, right));

/** The root over units from the left: { start, end, hash }, each a complete subtree at its place. */
export class Root {
  constructor() {
    this.size = 0;
    this.peaks = [];
  }

  /** False if the unit does not belong there. */
  async add({ start, end, hash }) {
    let width = end - start;
    if (start !== this.size || width <= 0 || !Number.isInteger(Math.log2(width)) || start % width) return false;
    let node = hash;
    while (this.peaks.at(-1)?.width === width) {
      node = await nodeHash(this.peaks.pop().node, node);
      width *= 2;
    }
    this.peaks.push({ width, node });
    this.size = end;
    return true;
  }

  async hash() {
    if (!this.peaks.length) return sha256(new Uint8Array());
    let { node } = this.peaks.at(-1);
    for (const peak of this.peaks.slice(0, -1).reverse()) node = await nodeHash(peak.node, node);
    return node;
  }
}

/** Whether `path` proves that `leaf` is number `index` of the `size` leaves under `root` (RFC 9162 2.1.3.2). */
export async function includes(index, size, leaf, path, root) {
  if (!(index >= 0 && index < size)) return false;
  let [node, position, last] = [leaf, index, size - 1];
  for (const sibling of path) {
    if (last === 0) return false;
    if (position % 2 || position === last) {
      node = await nodeHash(sibling, node);
      while (position % 2 === 0 && position) [position, last] = [position / 2, Math.floor(last / 2)];
    } else {
      node = await nodeHash(node, sibling);
    }
    [position, last] = [Math.floor(position / 2), Math.floor(last / 2)];
  }
  return last === 0 && same(node, root);
}

/** Whether `path` proves that the second tree begins with the first (RFC 9162 2.1.4.2). */
export async function grew(first, second, firstRoot, secondRoot, path) {
  if (first === second) return !path.length && same(firstRoot, secondRoot);
  if (!(first > 0 && first < second) || !path.length) return false;
  const nodes = Number.isInteger(Math.log2(first)) ? [firstRoot, ...path] : path;
  let [position, last] = [first - 1, second - 1];
  while (position % 2) [position, last] = [Math.floor(position / 2), Math.floor(last / 2)];
  let [before, after] = [nodes[0], nodes[0]];
  for (const node of nodes.slice(1)) {
    if (last === 0) return false;
    if (position % 2 || position === last) {
      [before, after] = [await nodeHash(node, before), await nodeHash(node, after)];
      while (position % 2 === 0 && position) [position, last] = [position / 2, Math.floor(last / 2)];
    } else {
      after = await nodeHash(after, node);
    }
    [position, last] = [Math.floor(position / 2), Math.floor(last / 2)];
  }
  return last === 0 && same(before, firstRoot) && same(after, secondRoot);
}
