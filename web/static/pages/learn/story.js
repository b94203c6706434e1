/**
 * What the learner's page knows of the class, from the connection, the control messages and the
 * pictures that arrive, and the one line of words that follows from it.
 */
import { Emitter } from '../../lib/emitter.js';
import { explain } from '../../lib/problems.js';
import { count } from '../../lib/format.js';
import { t } from '../../lib/i18n.js';
import { cutOf, isDark } from '../../lib/lesson.js';
import { ScreeningNews } from '../../lib/screening.js';

const STOPPED = {
  denied: ['learn.denied', 'learn.denied_hint'],
  signed_out: ['learn.signed_out', 'problem.session_ended'],
  unknown: ['learn.unknown', 'learn.unknown_hint'],
  removed: ['learn.removed', 'learn.removed_hint'],
  replaced: ['learn.replaced', 'learn.replaced_hint'],
  codec: ['learn.codec', 'learn.codec_hint'],
};

// What another connection is told anew.
const FRESH = { frames: false, starved: false, codecMissing: false, transcodeLost: false, cutOff: false };

/** Emits `change` after anything that words, buttons or tracks depend on. */
export class Story extends Emitter {
  link;
  lesson = { title: '', instructor: '', state: null, started_at_ms: null, viewers: null };
  publishing = null;
  sources = null;
  cut = null;
  chatOn = true;
  codecMissing = false;
  transcodeLost = false;
  publisherLost = false;
  cutOff = false;
  calledOn = false;
  audioOnly = false;
  frames = false;
  starved = false;
  clockOffsetMs = 0;

  constructor(viewer) {
    super();
    this.screening = new ScreeningNews(viewer);
    this.screening.on('change', () => this.emit('change'));
    // The session may have got somewhere before this page's own parts were there.
    this.#linked(viewer.link.state);
    viewer.link.on('state', (state) => this.#linked(state));
    viewer.on('joined', (message) => this.#joined(message));
    viewer.on('lesson', (message) => this.#lessonChanged(message));
    viewer.on('sources', (message) => this.set({ sources: message }));
    viewer.on('called_on', ({ on }) => this.set({ calledOn: on }));
    viewer.on('cut', (message) => this.#cutChanged(message));
    viewer.on('notice', (message) => this.#noticed(message));
  }

  set(changes) {
    Object.assign(this, changes);
    this.emit('change');
  }

  get ended() {
    return this.lesson.state === 'ended' || (this.link.name === 'stopped' && this.link.why === 'ended');
  }

  get dark() {
    return isDark({ state: this.lesson.state, cut: this.cut });
  }

  /** Whether there is nothing to be heard either. */
  get silent() {
    return this.ended || this.cutOff || this.lesson.state === 'waiting' || this.link.name === 'stopped'
      || (this.dark && this.cut?.level !== 'picture');
  }

  /** Which pictures can be there at all; a picture that cannot come would hold back the sound. */
  get pictures() {
    const sent = this.sources;
    const any = sent === null || sent.camera || sent.screen || sent.blank;
    // After a cut not even the last frame stays, nor while screening holds the picture back.
    const picture = any && !this.audioOnly && !this.codecMissing && !this.dark && !this.ended
      && !this.screening.heldBack && !this.cutOff;
    return { picture, inset: Boolean(picture && sent?.camera && sent?.screen && !sent.blank && this.link.name === 'open') };
  }

  /** [what is so, what happens next or what to do], or null when the picture speaks for itself. */
  get words() {
    const { link, lesson } = this;
    if (this.ended) return [t('learn.ended'), t('learn.ended_hint')];
    if (link.name === 'stopped' && link.why in STOPPED) return STOPPED[link.why].map((key) => t(key));
    if (link.name === 'stopped') return [explain(link.problem), t('learn.refused_hint')];
    if (this.cut?.level === 'picture' && lesson.state !== 'cut') return [t('learn.picture_cut'), t('learn.picture_cut_hint')];
    if (this.dark || link.name === 'gone') return [t('learn.cut'), t('learn.cut_hint')];
    if (link.name === 'retrying') return this.#retryWords();
    if (link.name === 'connecting') {
      return link.attempt > 0 ? [t('learn.reconnecting'), t('learn.reconnecting_now')] : [t('stage.connecting'), ''];
    }
    if (this.cutOff) return [t('learn.cut_off'), t('learn.cut_off_hint')];
    if (this.screening.heldBack) return [t('learn.held_back'), t('learn.held_back_hint')];
    if (lesson.state === 'paused') return [t('learn.paused'), t('learn.paused_hint')];
    const away = this.publisherLost || (lesson.state === 'live' && this.publishing === false);
    if (away) return [t('learn.publisher_lost'), t('learn.publisher_lost_hint')];
    if (lesson.state === 'waiting') return [t('learn.waiting'), t('learn.waiting_hint')];
    return this.#pictureWords();
  }

  #pictureWords() {
    const sent = this.sources;
    if (this.codecMissing) return [t('learn.codec'), t('learn.codec_hint')];
    if (this.audioOnly) return [t('learn.audio_only'), t('learn.audio_only_hint')];
    if (sent?.blank) return [t('learn.blank'), t('learn.blank_hint')];
    if (sent && !sent.camera && !sent.screen) {
      return [t('learn.no_picture'), sent.microphone ? t('learn.no_picture_hint') : t('learn.nothing_hint')];
    }
    if (this.starved) return [t('learn.starved'), t('learn.starved_hint')];
    return this.frames ? null : [t('learn.almost'), ''];
  }

  #retryWords() {
    const { problem, in_ms: ms } = this.link;
    const seconds = Math.max(1, Math.round(ms / 1000));
    if (problem.code === 'lesson_full') return [t('learn.full'), t('learn.retry_in', { n: seconds })];
    if (problem.code === 'already_here') return [t('learn.already_here'), t('learn.already_here_hint', { n: seconds })];
    const offline = navigator.onLine === false;
    return [t('learn.reconnecting'), offline ? t('learn.offline') : t('learn.retry_in', { n: count(seconds) })];
  }

  #linked(state) {
    const fresh = state.name === 'connecting' || state.name === 'retrying';
    const known = state.name === 'gone' && state.lesson ? this.#fromRest(state.lesson) : {};
    this.set({ link: state, ...(fresh ? FRESH : {}), ...known });
  }

  #fromRest(rest) {
    const lesson = { ...this.lesson, title: rest.title, instructor: rest.instructor, state: rest.state };
    return { lesson, cut: cutOf(rest) ?? this.cut };
  }

  #joined(message) {
    this.set({
      lesson: { ...this.lesson, ...message.lesson },
      sources: message.sources ?? null,
      cut: message.cut ?? null,
      chatOn: message.chat_on !== false,
      publishing: message.lesson.publishing ?? null,
      publisherLost: false,
      clockOffsetMs: message.server_time_ms - Date.now(),
    });
  }

  #lessonChanged({ state, viewers, started_at_ms: started, publishing }) {
    const lesson = { ...this.lesson, state, viewers, started_at_ms: started ?? this.lesson.started_at_ms };
    const back = publishing ? { publisherLost: false } : { frames: false };
    this.set({ lesson, publishing: publishing ?? this.publishing, ...back });
  }

  #cutChanged({ active, level, reason, at_ms: at }) {
    this.set({ cut: active ? { level, reason, at_ms: at } : null, ...(active ? { frames: false } : {}) });
  }

  #noticed({ code }) {
    if (code === 'codec_unsupported') this.set({ codecMissing: true });
    else if (code === 'publisher_lost') this.set({ publisherLost: true, frames: false });
    else if (code === 'publisher_back') this.set({ publisherLost: false });
    else if (code === 'node_cut_off' || code === 'node_back') this.set({ cutOff: code === 'node_cut_off', frames: false });
    else if (code === 'transcode_lost') this.set({ transcodeLost: true });
    else if (code === 'transcode_back') this.set({ transcodeLost: false, codecMissing: false });
  }
}
