/** The texts of the audit, before anything of it is drawn. */
import en from '../../i18n/audit.en.js';
import zh from '../../i18n/audit.zh.js';
import { add } from '../../lib/i18n.js';
import './accounts-texts.js';

add({ zh, en });
