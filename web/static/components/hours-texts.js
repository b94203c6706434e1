/** The texts of attendance and hours, before anything is drawn with them. */
import en from '../i18n/hours.en.js';
import zh from '../i18n/hours.zh.js';
import { add } from '../lib/i18n.js';

add({ zh, en });
