/** The texts of this page, before anything is drawn with them. */
import en from '../../i18n/moderate.en.js';
import zh from '../../i18n/moderate.zh.js';
import screeningEn from '../../i18n/screening.en.js';
import screeningZh from '../../i18n/screening.zh.js';
import { add } from '../../lib/i18n.js';

add({ zh: { ...zh, ...screeningZh }, en: { ...en, ...screeningEn } });
