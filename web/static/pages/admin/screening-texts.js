/** The texts of the screening section, before anything of it is drawn. */
import policiesEn from '../../i18n/policies.en.js';
import policiesZh from '../../i18n/policies.zh.js';
import en from '../../i18n/screening.en.js';
import zh from '../../i18n/screening.zh.js';
import { add } from '../../lib/i18n.js';

add({ zh: { ...zh, ...policiesZh }, en: { ...en, ...policiesEn } });
