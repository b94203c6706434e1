/** Questions pasted from a table: a line each, columns by tabs. Pure. */
export const AT_ONCE = 200;
export const letters = 'ABCDEFGH';

/** { questions: as the server takes them, wrong: numbers of the lines that are none, from 1 on } */
export function parseLines(text) {
  const lines = text.split(/\r?\n/).map((line, at) => ({ n: at + 1, cells: line.split('\t').map((cell) => cell.trim()) }))
    .filter(({ cells }) => cells.some(Boolean));
  const read = lines.map(({ n, cells }) => ({ n, question: parseCells(cells.slice(0, cells.findLastIndex(Boolean) + 1)) }));
  const wrong = read.filter(({ question }) => !question).map(({ n }) => n);
  return { questions: read.flatMap(({ question }) => question ?? []), wrong: lines.length > AT_ONCE ? [...wrong, lines[AT_ONCE].n] : wrong };
}

function parseCells(cells) {
  const [text, ...rest] = cells;
  const answer = rest.pop();
  if (!text || !answer) return null;
  if (!rest.length) return /^-?\d{1,9}$/.test(answer) ? { kind: 'arithmetic', text, right: [Number(answer)] } : null;
  const options = rest.filter(Boolean);
  const right = [...new Set(answer.toUpperCase().replace(/[\s,、，]/g, ''))].map((letter) => letters.indexOf(letter));
  if (options.length < 2 || options.length > letters.length || rest.length !== options.length) return null;
  if (!right.length || right.some((place) => place < 0 || place >= options.length)) return null;
  return { kind: right.length > 1 ? 'multiple' : 'single', text, options, right };
}
