/** The moderator's page: a wall of classes, one of them selected, two keys from seeing to cutting. */
import './moderate/texts.js';
import { drawModerate } from './moderate/view.js';
import { Wall } from './moderate/wall.js';

const wall = new Wall();
drawModerate(wall);
wall.run();
// Drawn: for tests and for support.
document.documentElement.dataset.page = 'moderate';
