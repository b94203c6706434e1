/** Watching a class: `join` has already asked for it; here the page grows around it. */
import { release, viewer } from './learn/join.js';
import { Checks } from './learn/checks.js';
import { Presence } from './learn/presence.js';
import { Sound } from './learn/sound.js';
import { Story } from './learn/story.js';
import { drawLearn } from './learn/view.js';

const story = new Story(viewer);
const view = drawLearn(viewer, story);
const sound = new Sound(view.stage);
new Presence(viewer, story);
const checks = new Checks(viewer, () => Date.now() + story.clockOffsetMs);

function showTracks() {
  const { picture, inset } = story.pictures;
  if (viewer.transport === 'hls') {
    view.stage.show({});
    viewer.play(view.stage.video, story.silent ? 'none' : picture ? 'video' : 'audio');
    return;
  }
  const { audio, main, second } = viewer.tracks;
  if (view.stage.show({ audio, picture: picture ? main : null, second: inset ? second : null })) sound.play();
}

viewer.on('tracks', () => {
  showTracks();
  if (viewer.transport === 'hls') sound.play();
});
viewer.on('transport', () => story.set({ frames: false, starved: false }));
story.on('change', () => {
  showTracks();
  view.render();
});
showTracks();
view.render();
release();
// Drawn: for tests and for support.
document.documentElement.dataset.page = 'learn';

// Nobody is asked in the first moments: the sheet comes after the picture.
const [{ challengeSheet }, { photoSettings }] = await Promise.all([import('../components/challenge.js'), import('../components/photo-consent.js')]);
view.actions.append(photoSettings());
challengeSheet(checks, { hours: view.hours });
