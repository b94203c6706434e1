/** The texts of signing in and of the portal, before anything is drawn with them. */
import en from '../i18n/portal.en.js';
import zh from '../i18n/portal.zh.js';
import { add } from '../lib/i18n.js';

add({ zh, en });
