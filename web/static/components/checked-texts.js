/** The texts of checks one by one, before anything is drawn with them. */
import en from '../i18n/checked.en.js';
import zh from '../i18n/checked.zh.js';
import { add } from '../lib/i18n.js';

add({ zh, en });
