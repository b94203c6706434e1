/** The texts of statistics, before anything is drawn with them. */
import en from '../i18n/progress.en.js';
import zh from '../i18n/progress.zh.js';
import { add } from '../lib/i18n.js';

add({ zh, en });
