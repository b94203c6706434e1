/** The learner's page as nodes; phone first: the stage on top, the class below it, the chat under that. */
import { button, relabel } from '../../components/button.js';
import { askAppeal } from '../../components/appeal.js';
import { stateBadge } from '../../components/badge.js';
import { chat } from '../../components/chat.js';
import { icon } from '../../components/icon.js';
import { notices } from '../../components/notices.js';
import { stage as makeStage } from '../../components/stage.js';
import { topbar } from '../../components/topbar.js';
import { el, mount, setText } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { DownloadMeter } from '../../lib/quality.js';
import { cutByScreening } from '../../lib/screening.js';
import { creditedChip } from './credited.js';
import { taps } from './taps.js';

const SAMPLE_MS = 2000;
const STARVED_SAMPLES = 3;
const BEHIND_MS = 1500;
/** LL-HLS is a second or two behind by its nature. */
const HLS_BEHIND_MS = 3000;
const QUALITY = { good: 'quality.good', fair: 'quality.fair', poor: 'quality.poor' };
const LEVELS = {
  chat: 'cut.seen.chat', picture: 'cut.seen.picture', pause: 'cut.seen.pause', lesson: 'cut.seen.lesson', person: 'cut.seen.person',
};

export function drawLearn(viewer, story) {
  const bar = topbar(t('learn.title'));
  const stage = makeStage({ label: t('stage.label') });
  const state = el('span', { class: 'state' });
  const people = el('span', { testid: 'viewer-count' }, '–');
  const elapsed = el('span', { class: 'figure' });
  const teacher = el('p', { class: 'teacher' });
  const quality = el('span', { class: 'quality' }, t('quality.unknown'));
  const delay = el('p', { class: 'hint', testid: 'delay', hidden: true });
  const notes = notices();
  const again = button(t('learn.take_over'), { kind: 'primary', press: () => location.reload(), hidden: true });
  const audioOnly = button(t('learn.audio_only_on'), { symbol: 'sound', 'aria-pressed': 'false', press: switchAudio });
  const fullScreen = button(t('stage.full_screen'), { symbol: 'full', press: stage.fullScreen });
  const fit = button(t('stage.fit'), { symbol: 'fit', press: stage.fit });
  const credited = creditedChip(viewer, story);
  const talk = chat({ send: (message) => viewer.send({ type: 'chat', ...message }), object: askAppeal });
  stage.overlay.append(again);

  const actions = el('div', { class: 'learn-actions' }, fullScreen, fit, audioOnly);
  const way = el('span', { class: 'figure', testid: 'transport' }, viewer.transport);
  const transport = el('p', { class: 'hint connection' }, t('learn.connection'), ' ',
    way, ' · ', quality);
  mount(bar.node, el('main', { class: 'learn', tabindex: '-1' },
    el('div', { class: 'learn-stage' }, stage.node),
    el('section', { class: 'learn-about', 'aria-label': t('learn.about') }, notes.node,
      el('div', { class: 'facts' }, state, el('span', { class: 'fact' }, icon('people'), t('learn.watching'), ' ', people), elapsed, credited),
      teacher, transport, delay,
      actions),
    el('section', { class: 'learn-chat panel' }, el('h2', {}, t('chat.label')), talk.node)));

  taps(stage.node, { once: stage.fullScreen, twice: stage.fit });
  talk.follow(viewer);

  function switchAudio() {
    story.set({ audioOnly: !story.audioOnly, frames: false, starved: false });
    viewer.setPictures(story.audioOnly ? 0 : 2);
  }

  function render() {
    const { lesson, cut } = story;
    const words = story.words;
    setText(way, viewer.transport);
    stage.say(words?.[0] ?? null, words?.[1]);
    if (lesson.title) bar.name(lesson.title);
    setText(teacher, lesson.instructor ? t('learn.instructor', { name: lesson.instructor }) : '');
    const shown = story.ended ? 'ended' : lesson.state;
    if (shown && state.dataset.state !== shown) {
      state.dataset.state = shown;
      state.replaceChildren(stateBadge(shown));
    }
    setText(people, lesson.viewers === null || story.ended ? '–' : format.count(lesson.viewers));
    const { delayMs, muted } = story.screening;
    delay.hidden = !delayMs || story.ended;
    setText(delay, delayMs ? t('learn.delay', { n: format.seconds(delayMs) }) : '');
    const why = cutByScreening(cut?.reason) ? t('cut.reason_screening')
      : cut?.reason ? t('cut.reason', { reason: cut.reason }) : t('cut.no_reason');
    const seen = cut || lesson.state === 'cut' ? `${t(LEVELS[cut?.level] ?? 'cut.seen.lesson')} ${why}` : null;
    notes.set('cut', story.ended ? null : seen, { tone: 'danger', testid: 'cut-notice' });
    notes.set('called', story.calledOn && !story.ended ? t('learn.called_on') : null, { testid: 'called-on' });
    notes.set('codec', story.codecMissing ? t('learn.codec_notice') : null);
    notes.set('transcode', story.transcodeLost ? t('learn.transcode_lost') : null);
    again.hidden = story.link.name !== 'stopped' || story.ended || story.link.why === 'codec';
    relabel(again, story.link.why === 'replaced' ? t('learn.take_over') : t('action.retry'));
    audioOnly.setAttribute('aria-pressed', String(story.audioOnly));
    relabel(audioOnly, story.audioOnly ? t('learn.audio_only_off') : t('learn.audio_only_on'));
    notes.set('muted', muted && !story.ended ? t('learn.muted') : null, { testid: 'muted-notice' });
    const chatOff = !story.chatOn || (cut && cut.level !== 'picture');
    talk.enable(story.link.name === 'open' && !chatOff && !muted,
      story.ended ? t('chat.closed') : chatOff ? t('chat.off') : muted ? t('chat.muted') : t('chat.offline'));
  }

  watchPicture(stage.video, story);
  setInterval(() => tick(), 1000);
  function tick() {
    const since = story.lesson.started_at_ms;
    const running = since && !story.ended && story.lesson.state !== 'waiting';
    setText(elapsed, running ? format.elapsed(Date.now() + story.clockOffsetMs - since) : '');
  }

  const meter = new DownloadMeter();
  let dry = 0;
  setInterval(async () => {
    if (story.link.name !== 'open' || !viewer.pc) {
      const behindMs = viewer.behindMs;
      const late = behindMs > HLS_BEHIND_MS ? t('quality.behind', { n: (behindMs / 1000).toFixed(1) }) : null;
      setText(quality, late ?? t(behindMs && story.frames ? QUALITY.good : 'quality.unknown'));
      return;
    }
    const expected = story.pictures.picture && story.publishing !== false && story.lesson.state === 'live'
      && !story.sources?.blank;
    const sample = await meter.sample(viewer.pc, { moving: expected });
    if (!sample) return;
    viewer.cushion(sample);
    dry = expected && sample.fps === 0 ? dry + 1 : 0;
    const starved = dry >= STARVED_SAMPLES;
    if (starved !== story.starved) story.set({ starved });
    const late = sample.behind_ms > BEHIND_MS ? ` · ${t('quality.behind', { n: (sample.behind_ms / 1000).toFixed(1) })}` : '';
    const words = sample.packets ? t(QUALITY[sample.verdict]) : t('quality.unknown');
    const advice = sample.verdict === 'poor' && !story.audioOnly ? ` · ${t('quality.advice')}` : '';
    setText(quality, `${words}${sample.packets ? ` · ${format.rate(sample.bps)}` : ''}${late}${advice}`);
  }, SAMPLE_MS);

  const hours = { shown: () => !credited.hidden, open: () => credited.click() };
  return { stage, render, actions, hours };
}

/** Tells the story when pictures are really shown, not merely promised. */
function watchPicture(video, story) {
  const seen = () => {
    if (!story.frames && story.link.name === 'open') story.set({ frames: true, starved: false });
  };
  if (!video.requestVideoFrameCallback) {
    video.addEventListener('timeupdate', () => video.videoWidth && seen());
    return;
  }
  const next = () => {
    seen();
    video.requestVideoFrameCallback(next);
  };
  video.requestVideoFrameCallback(next);
}
