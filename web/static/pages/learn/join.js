/**
 * The first thing that runs on the learner's page, from as few files as possible: the class is asked for
 * while everything else still loads. The answer is held until the page listens.
 */
import { lessonId } from '../../lib/session.js';
import { Watching } from '../../lib/watching.js';

let listening = null;

export const viewer = new Watching(lessonId(), {
  forced: new URLSearchParams(location.search).get('transport') === 'hls',
  pictures: 2,
  hold: new Promise((resolve) => { listening = resolve; }),
});

/** The page's listeners are in place: let the messages and pictures come. */
export const release = () => listening();

viewer.start();
