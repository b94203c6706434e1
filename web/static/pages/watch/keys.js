/** The player's keys, wherever the focus is, but for fields that need the key themselves. */
const SEEK_MS = 5_000;

export function keys({ playback, view, chapters }) {
  const by = (ms) => () => playback.seek(playback.atMs + ms);
  const actions = {
    ' ': () => playback.toggle(), k: () => playback.toggle(),
    arrowleft: by(-SEEK_MS), arrowright: by(SEEK_MS), j: by(-2 * SEEK_MS), l: by(2 * SEEK_MS),
    home: () => playback.seek(0), end: () => playback.seek(playback.durationMs),
    p: () => chapter(-1), n: () => chapter(1),
    '<': () => view.faster(-1), '>': () => view.faster(1),
    m: () => view.silence(), c: () => view.caption(), f: () => view.fullScreen(),
  };

  /** The next chapter, or this one's beginning, and from there the one before. */
  function chapter(step) {
    const starts = chapters.map(({ from_ms: from }) => from);
    const found = step > 0 ? starts.find((from) => from > playback.atMs + 1) : starts.findLast((from) => from < playback.atMs - 2_000);
    if (found !== undefined) playback.seek(found);
    else if (step < 0) playback.seek(0);
  }

  document.addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest('select, textarea, dialog')) return;
    if (event.key === ' ' && event.target.closest('button, a')) return;
    const action = actions[event.key.toLowerCase()];
    if (!action) return;
    event.preventDefault();
    action();
  });
}
