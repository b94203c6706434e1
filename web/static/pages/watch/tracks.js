/** Text tracks of all reels, their times following the file that plays: chapters, and captions where somebody has them written. */
import { el } from '../../lib/dom.js';
import { t } from '../../lib/i18n.js';

const LABELS = { chapters: 'watch.chapters', captions: 'watch.captions' };

/** What shows or hides the captions; null where there are none. */
export function textTracks(video, playback, tracks) {
  const nodes = tracks.map((told) => ({ kind: told.kind, node: track(video, playback, told) }));
  const captions = nodes.filter(({ kind }) => kind === 'captions').map(({ node }) => node.track);
  if (!captions.length) return null;
  return { show: (on) => captions.forEach((one) => { one.mode = on ? 'showing' : 'hidden'; }) };
}

function track(video, playback, { kind, url, begins }) {
  const node = el('track', { kind, src: url, srclang: document.documentElement.lang, label: t(LABELS[kind]), default: kind === 'chapters' });
  let cues = [];

  // A time before the file's start cannot be said: what is over there is an empty cue at its start.
  function shift() {
    const inFile = (seconds) => Math.max(0, seconds + (begins - playback.offsetMs) / 1000);
    for (const { cue, from, to } of cues) {
      cue.endTime = inFile(to);
      cue.startTime = inFile(from);
    }
  }

  node.addEventListener('load', () => {
    cues = [...node.track.cues].map((cue) => ({ cue, from: cue.startTime, to: cue.endTime }));
    shift();
  });
  video.addEventListener('loadedmetadata', shift);
  video.append(node);
  node.track.mode = 'hidden';
  return node;
}
