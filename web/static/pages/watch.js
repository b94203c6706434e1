/** A recording: the picture with the viewer's name over it, chapters, and what proves what is seen. */
import { button } from '../components/button.js';
import { topbar } from '../components/topbar.js';
import { get, request } from '../lib/api.js';
import { el, mount } from '../lib/dom.js';
import { t } from '../lib/i18n.js';
import { explain } from '../lib/problems.js';
import { lessonId, link, token } from '../lib/session.js';
import { chapterList } from './watch/chapters.js';
import { factsPanel } from './watch/facts.js';
import { keys } from './watch/keys.js';
import { Playback } from './watch/playback.js';
import { player } from './watch/player.js';
import { joined } from './watch/reels.js';
import { textTracks } from './watch/tracks.js';
import { watermark } from './watch/watermark.js';

const RENEW_MS = 15_000; // an address that fails sooner than that after a fresh one is not expired
const LOOK_MS = 3_000;
const NOT_PLAYED = { failed: 'watch.failed_recording', deleted: 'recording.deleted' };

const id = encodeURIComponent(lessonId());
const bar = topbar(t('watch.title'));
const main = el('main', { class: 'watch', tabindex: '-1' });
const { origin } = location;

/** By token, which can be asked with again and again, or by a link that ends when it ends. */
async function read() {
  if (token()) return get(`/recordings/${id}`);
  if (!link()) return get(`/recordings/${id}`); // says which link is needed
  return (await request(`/recordings/${id}/about?link=${encodeURIComponent(link())}`)).json();
}

/** Addresses on this page's own origin, whatever name the server goes by. */
function local(told) {
  const own = (url) => {
    if (!url) return null;
    const address = new URL(url, origin);
    return address.pathname + address.search;
  };
  const reel = (one) => ({ chapters_url: own(one.chapters_url), captions_url: own(one.captions_url), recording: { ...one.recording, url: own(one.recording.url) },
    chapters: one.chapters.map((chapter) => ({ ...chapter, url: own(chapter.url), thumbnail: own(chapter.thumbnail) })) });
  return { ...told, ...reel(told), reels: told.reels.map(reel) };
}

function words(text, hint, ...actions) {
  main.replaceChildren(el('div', { class: hint ? 'watch-player alone' : 'watch-player' }, el('div', { class: 'stage' },
    el('div', { class: 'stage-curtain', role: 'status', testid: 'words' }, el('p', { class: 'stage-words' }, text),
      hint && el('p', { class: 'stage-advice' }, hint), el('div', { class: 'row' }, actions)))));
}

const again = () => button(t('action.retry'), { kind: 'primary', press: () => location.reload() });

function refused(problem) {
  if (problem.code === 'token_expired') words(t('watch.expired'), t('watch.expired_hint'));
  else if (problem.code === 'not_found') words(t('watch.unknown'), t('watch.unknown_hint'));
  else words(t('watch.no_entry'), explain(problem), again());
}

async function open() {
  words(t('watch.opening'));
  try {
    const told = joined(local(await read()));
    const { recording } = told;
    bar.name(recording.title || recording.lesson);
    if (told.sealed.length) play(told);
    else if (NOT_PLAYED[recording.state]) words(t(NOT_PLAYED[recording.state]), recording.detail);
    else waitForSeal();
  } catch (problem) {
    refused(problem);
  }
}

function waitForSeal() {
  words(t('watch.sealing'), t('watch.sealing_hint'));
  setTimeout(open, LOOK_MS);
}

function play(told) {
  const { recording, chapters, gaps, viewer } = told;
  const durationMs = told.pieces.at(-1).to;
  const video = el('video', { class: 'stage-video', testid: 'stage', playsinline: true, preload: 'metadata', disablepictureinpicture: true,
    disableremoteplayback: true, controlslist: 'nodownload noplaybackrate', poster: chapters[0]?.thumbnail, 'aria-label': t('stage.label') });
  const playback = new Playback(video);
  const captions = textTracks(video, playback, told.tracks);
  const view = player({ video, playback, captions, chapters, gaps, durationMs });
  const seek = (ms) => playback.seek(ms);
  const side = chapterList({ chapters, gaps, seek });
  const composed = chapters.some(({ url }) => url);
  video.addEventListener('click', () => playback.toggle());
  video.addEventListener('contextmenu', (event) => event.preventDefault());
  playback.on('time', () => view.show(playback.atMs, side.show(playback.atMs)));
  renewal(playback, view);
  main.replaceChildren(view.node, side.node, factsPanel({ told, composed, seek }));
  watermark(view.picture, video, viewer);
  keys({ playback, view, chapters });
  playback.open(told.pieces);
  if (recording.begins_ms) seek(recording.begins_ms);
  side.show(playback.atMs);
  document.documentElement.dataset.played = composed ? 'composed' : 'sealed';
}

/** A file that fails may have outlived its address: a fresh one goes on at the same place. */
function renewal(playback, view) {
  let renewed = performance.now();

  async function renew() {
    renewed = performance.now();
    try {
      playback.open(joined(local(await read())).pieces);
      view.say(null);
    } catch (problem) {
      if (problem.code === 'token_expired') view.say(t('watch.expired'), t('watch.expired_hint'));
      else view.say(t('watch.stopped'), explain(problem), retry());
    }
  }

  const retry = () => button(t('action.retry'), { kind: 'primary', press: renew });
  playback.on('failed', () => {
    if (performance.now() - renewed > RENEW_MS) renew();
    else view.say(t('watch.stopped'), t('watch.stopped_hint'), retry());
  });
}

mount(bar.node, main);
open();
// Drawn: for tests and for support.
document.documentElement.dataset.page = 'watch';
