/** The texts of accounts and of signing in, before anything is drawn with them. */
import '../../components/sign-in-texts.js';
import en from '../../i18n/accounts.en.js';
import zh from '../../i18n/accounts.zh.js';
import { add } from '../../lib/i18n.js';

add({ zh, en });
