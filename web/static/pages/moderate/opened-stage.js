/** The live picture of the opened class, or the words for why there is none. */
import { t } from '../../lib/i18n.js';
import { isDark } from '../../lib/lesson.js';
import { explain } from '../../lib/problems.js';
import { Viewer } from '../../lib/whep.js';

export function openedStage(id, stage) {
  const viewer = new Viewer(id, { pictures: 2 });
  stage.video.muted = true;
  let sent = null;
  let gone = false;
  // After a cut not even the last frame stays.
  const any = () => !gone && (!sent || sent.camera || sent.screen || sent.blank);
  viewer.on('tracks', showTracks);
  viewer.start();

  function showTracks() {
    const both = any() && sent?.camera && sent?.screen;
    const { tracks } = viewer;
    if (stage.show({ audio: tracks.audio, picture: any() ? tracks.main : null, second: both ? tracks.second : null })) {
      stage.video.play().catch(() => null);
    }
  }

  function render(lesson) {
    sent = lesson.sources ?? null;
    gone = isDark(lesson) || lesson.state === 'ended';
    showTracks();
    stage.say(words(lesson, viewer.link.state) ?? (any() && !stage.video.videoWidth ? t('learn.almost') : null));
  }

  return { render, close: () => viewer.stop() };
}

function words(lesson, link) {
  if (lesson.state === 'ended') return t('moderate.stage_ended');
  if (isDark(lesson)) return t('moderate.stage_cut');
  if (lesson.state === 'waiting' || lesson.publishing === false) return t('moderate.stage_waiting');
  if (link?.name === 'stopped') return explain(link.problem ?? { code: link.why });
  if (link?.name !== 'open') return t('stage.connecting');
  if (lesson.state === 'paused') return t('moderate.stage_paused');
  if (lesson.sight?.held_back) return t('moderate.stage_held_back');
  if (lesson.sources?.blank) return t('moderate.stage_blank');
  return null;
}
