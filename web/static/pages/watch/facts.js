/** What the recording is and what proves it; what is missing in it, by time. */
import { badge, stateBadge } from '../../components/badge.js';
import { button } from '../../components/button.js';
import { copyButton } from '../../components/copy.js';
import { el } from '../../lib/dom.js';
import * as format from '../../lib/format.js';
import { t } from '../../lib/i18n.js';

const REASONS = {
  lost: 'gap.lost', feed_overflow: 'gap.overload', overload: 'gap.overload', undecodable: 'gap.undecodable',
  source_changed: 'gap.source_changed', recorder_restarted: 'gap.recorder_restarted', no_keyframe: 'gap.no_keyframe',
  no_media: 'gap.no_media', disk: 'gap.disk', damaged: 'gap.damaged',
};
const TRACKS = { camera: 'source.camera', screen: 'source.screen', audio: 'source.microphone' };
const KEYS = ['watch.key_play', 'watch.key_seek', 'watch.key_chapter', 'watch.key_speed', 'watch.key_full'];

export function factsPanel({ told, composed, seek }) {
  const fact = (name, ...value) => [el('dt', {}, name), el('dd', {}, ...value)];
  const { recording, sealed, several, gaps } = told;
  const reels = sealed.map((reel) => reel.recording);
  const sum = (name) => reels.reduce((total, reel) => total + (reel[name] ?? 0), 0);
  const locked = reels.every((reel) => reel.locked);
  return el('section', { class: 'watch-facts panel', 'aria-labelledby': 'facts' },
    el('div', {}, el('h2', { id: 'facts' }, t('watch.facts')), el('dl', { class: 'about' },
      fact(t('recording.started'), format.dateTime(reels[0].started_at)),
      fact(t('recording.state'), several ? told.reels.map((reel) => reelState(reel.recording)) : stateBadge(recording.state)),
      fact(t('recording.duration'), format.elapsed(sum('duration_ms'))),
      fact(t('recording.size'), format.size(sum('size'))),
      fact(t('recording.kept'), format.day(reels.map((reel) => reel.retain_until).sort()[0])),
      fact(t('watch.lock'), locked ? badge(t('recording.locked'), 'ok') : badge(t('watch.unlocked'), 'warn'),
        ' ', locked ? '' : el('span', { class: 'hint' }, t('watch.unlocked_hint'))),
      recording.hold ? fact(t('watch.hold'), recording.hold) : [],
      fact('SHA-256', reels.map((reel) => hashOf(reel, several))),
      fact(t('watch.played'), composed ? t('watch.played_composed') : t('watch.played_sealed')))),
    el('div', {}, el('h2', {}, t('recording.gaps_title')), gapList(gaps, seek)),
    el('div', { class: 'watch-keys' }, el('h2', {}, t('watch.keys')), el('ul', { class: 'keys-list' }, KEYS.map((key) => el('li', {}, t(key))))));
}

/** Of a long recording: which of its parts is where on its way. */
function reelState({ reel, state, begins_ms: begins }) {
  return el('div', { class: 'watch-reel', testid: 'reel' }, t('recording.part', { n: reel }), ' ', stateBadge(state), ' ',
    el('span', { class: 'hint' }, t('watch.part_from', { at: format.elapsed(begins) })));
}

function hashOf({ reel, sha256: hash }, several) {
  if (!hash) return '–';
  const name = several ? t('recording.part', { n: reel }) : '';
  return el('div', { class: 'watch-hash' }, name && el('span', { class: 'hint' }, name), el('span', { class: 'hash', testid: 'hash' }, hash),
    copyButton(hash, `SHA-256 ${name}`.trim()));
}

function gapList(gaps, seek) {
  if (!gaps.length) return el('p', { class: 'hint' }, t('watch.no_gaps'));
  return el('div', {}, el('p', { class: 'hint' }, t('watch.gaps_hint')), el('ul', { class: 'gaps' }, gaps.map((gap) => {
    const span = `${format.elapsed(gap.from_ms)} · ${t('watch.seconds', { n: ((gap.to_ms - gap.from_ms) / 1000).toFixed(1) })}`;
    const track = TRACKS[gap.track] ? t(TRACKS[gap.track]) : gap.track;
    const why = REASONS[gap.reason] ? t(REASONS[gap.reason]) : gap.reason;
    return el('li', {}, button(`${span} · ${track} · ${why}`, { kind: 'quiet', press: () => seek(gap.from_ms) }));
  })));
}
