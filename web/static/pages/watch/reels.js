/**
 * A long recording is kept in several files, its reels: here they are one. Times are milliseconds from the
 * first one's beginning; what the answer tells of a reel counts from that reel's own.
 */

/** What the page shows of all sealed reels: `recording` is the one that was asked for, with all lengths added. */
export function joined(told) {
  const sealed = told.reels.filter(({ recording }) => recording.state === 'sealed');
  const several = told.reels.length > 1;
  const chapters = sealed.flatMap((reel) => chaptersOf(reel, several));
  const gaps = sealed.flatMap(({ recording }) => (recording.gaps ?? []).map((gap) => shifted(gap, recording.begins_ms)));
  const pieces = sealed.flatMap((reel) => piecesOf(reel));
  const tracks = sealed.flatMap(tracksOf);
  return { ...told, sealed, several, chapters, gaps, pieces, tracks };
}

const shifted = (span, by) => ({ ...span, from_ms: span.from_ms + by, to_ms: span.to_ms + by });

/** A reel that has none yet is one, so that it can be reached beside the others. */
function chaptersOf({ recording, chapters }, several) {
  const begins = recording.begins_ms;
  if (chapters.length || !several) return chapters.map((chapter) => shifted(chapter, begins));
  return [{ from_ms: begins, to_ms: begins + recording.duration_ms, thumbnail: null, url: null }];
}

function tracksOf({ recording, chapters_url: chapters, captions_url: captions }) {
  return [{ kind: 'chapters', url: chapters }, { kind: 'captions', url: captions }]
    .filter(({ url }) => url).map((track) => ({ ...track, begins: recording.begins_ms }));
}

/** What plays when: chapters as one picture where they were made, else the sealed file. `offset`: the time at the file's start. */
function piecesOf({ recording, chapters }) {
  const begins = recording.begins_ms;
  const whole = { from: begins, to: begins + (recording.duration_ms ?? 0), offset: begins, url: recording.url };
  if (!chapters.some(({ url }) => url)) return [whole];
  return chapters.map((chapter) => {
    const { from_ms: from, to_ms: to, url } = shifted(chapter, begins);
    return url ? { from, to, offset: from, url } : { ...whole, from, to };
  });
}
