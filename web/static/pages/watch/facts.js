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

export function factsPanel({ recording, composed, seek }) {
  const fact = (name, ...value) => [el('dt', {}, name), el('dd', {}, ...value)];
  const hash = recording.sha256;
  return el('section', { class: 'watch-facts panel', 'aria-labelledby': 'facts' },
    el('div', {}, el('h2', { id: 'facts' }, t('watch.facts')), el('dl', { class: 'about' },
      fact(t('recording.started'), format.dateTime(recording.started_at)),
      fact(t('recording.state'), stateBadge(recording.state)),
      fact(t('recording.duration'), format.elapsed(recording.duration_ms)),
      fact(t('recording.size'), format.size(recording.size)),
      fact(t('recording.kept'), format.day(recording.retain_until)),
      fact(t('watch.lock'), recording.locked ? badge(t('recording.locked'), 'ok') : badge(t('watch.unlocked'), 'warn'),
        ' ', recording.locked ? '' : el('span', { class: 'hint' }, t('watch.unlocked_hint'))),
      recording.hold ? fact(t('watch.hold'), recording.hold) : [],
      fact('SHA-256', hash ? [el('span', { class: 'hash', testid: 'hash' }, hash), copyButton(hash, 'SHA-256')] : '–'),
      fact(t('watch.played'), composed ? t('watch.played_composed') : t('watch.played_sealed')))),
    el('div', {}, el('h2', {}, t('recording.gaps_title')), gapList(recording.gaps, seek)),
    el('div', { class: 'watch-keys' }, el('h2', {}, t('watch.keys')), el('ul', { class: 'keys-list' }, KEYS.map((key) => el('li', {}, t(key))))));
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
