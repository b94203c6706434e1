/** The texts of this page, before anything is drawn with them. */
import en from '../../i18n/admin.en.js';
import zh from '../../i18n/admin.zh.js';
import { add } from '../../lib/i18n.js';

add({ zh, en });
