/** Giving a class: check the devices, go live, stay live. */
import { lessonId, token } from '../lib/session.js';
import { Devices } from '../lib/devices.js';
import { Publisher } from '../lib/whip.js';
import { Socket } from '../lib/socket.js';
import { Broadcast } from './teach/broadcast.js';
import { drawTeach } from './teach/view.js';

const lesson = lessonId();
const socket = new Socket(lesson);
const devices = new Devices();
const publisher = new Publisher(lesson);
const broadcast = new Broadcast({ lesson, socket, devices, publisher });
const view = drawTeach(broadcast);

if (token()) socket.start();
else broadcast.set({ phase: 'denied' });
devices.open();

addEventListener('beforeunload', (event) => {
  if (broadcast.phase === 'live') event.preventDefault();
});
addEventListener('pagehide', () => publisher.link.peer?.leave());
addEventListener('pageshow', ({ persisted }) => persisted && location.reload());
// Drawn: for tests and for support.
document.documentElement.dataset.page = 'teach';

if (token()) view.addQuiz((await import('./teach/quiz.js')).quizPanel);
