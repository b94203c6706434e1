/** The inspector's own texts, before anything is drawn with them. */
import en from '../../i18n/inspect.en.js';
import zh from '../../i18n/inspect.zh.js';
import { add } from '../../lib/i18n.js';

add({ zh, en });
