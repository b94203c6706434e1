/** The texts of people and classes, before anything is drawn with them. */
import en from '../../../i18n/people.en.js';
import zh from '../../../i18n/people.zh.js';
import { add } from '../../../lib/i18n.js';

add({ zh, en });
