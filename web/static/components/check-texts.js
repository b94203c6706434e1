/** The texts of a learner's checks, before anything is drawn with them. */
import en from '../i18n/check.en.js';
import zh from '../i18n/check.zh.js';
import { add } from '../lib/i18n.js';

add({ zh, en });
