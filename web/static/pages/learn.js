/** Watching a class: the session is asked for before anything is drawn, the rest grows around it. */
import { lessonId } from '../lib/session.js';
import { Viewer } from '../lib/whep.js';
import { drawLearn } from './learn/view.js';
import { Presence } from './learn/presence.js';
import { Sound } from './learn/sound.js';
import { Story } from './learn/story.js';

const viewer = new Viewer(lessonId(), { pictures: 2 });
const story = new Story(viewer);
const view = drawLearn(viewer, story);
viewer.start();

const sound = new Sound(view.stage, view.overlay);
let tracks = { audio: null, main: null, second: null };

function showTracks() {
  const { main, inset } = story.pictures;
  const given = { audio: tracks.audio, picture: main ? tracks.main : null, second: inset ? tracks.second : null };
  if (view.stage.show(given)) sound.play();
}

viewer.on('tracks', (fresh) => {
  tracks = fresh;
  showTracks();
});
story.on('change', () => {
  showTracks();
  view.render();
});

new Presence(viewer, story);
// For the page's own tests and for support: what this page believes.
document.documentElement.dataset.page = 'learn';
