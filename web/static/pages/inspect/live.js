/** A lesson that is going on, watched by the inspector: picture and sound, nothing that changes anything. */
import { stage } from '../../components/stage.js';
import { t } from '../../lib/i18n.js';
import { isDark } from '../../lib/lesson.js';
import { Viewer } from '../../lib/whep.js';

export function liveStage(lesson) {
  const picture = stage({ label: lesson.title || lesson.id });
  const viewer = new Viewer(lesson.id, { pictures: 2 });
  let now = lesson;
  picture.video.muted = true;
  picture.video.controls = true;
  viewer.on('tracks', render);
  viewer.on('joined', ({ lesson: joined }) => change(joined));
  viewer.on('lesson', change);
  viewer.on('sources', (sources) => change({ sources }));
  viewer.on('cut', () => change({ state: 'cut' }));
  picture.video.addEventListener('playing', render);
  viewer.start();
  render();

  function change(news) {
    now = { ...now, ...news };
    render();
  }

  function render() {
    const over = isDark(now) || now.state === 'ended';
    const { audio, main, second } = viewer.tracks;
    const both = !over && now.sources?.camera && now.sources?.screen;
    if (picture.show({ audio, picture: over ? null : main, second: both ? second : null })) picture.video.play().catch(() => null);
    picture.say(over ? t(`state.${now.state === 'ended' ? 'ended' : 'cut'}`) : picture.video.videoWidth ? null : t('stage.connecting'));
  }

  return { node: picture.node, close: () => viewer.stop() };
}
