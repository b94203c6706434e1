"""One way of writing for the many in which the same thing is written. Pure; under 0.1 ms for a chat line.

    加-薇-信 ｗⒶⓝ9⓪①  →  text 加薇信wan901, sounds jia wei xin w a n 9 0 1

`text` is folded (`folding`), freed of what splits words, and addresses, account names and long numbers are
one sign each. `sounds` is the same read aloud in Mandarin without tones, so that 微信, 薇信 and weixin are
one. `signs` are what the writing itself gives away: letters in disguise, split words, emoji for words.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from models.chat.folding import fold, sounds

_LONG = 60


class Sign(StrEnum):
    """What stands in `Normal.text` for something long, and what is in `Normal.signs`. Private characters."""

    OFFICIAL = "\ue000"
    """An address of an authority or a school (gov.cn, edu.cn)."""
    ADDRESS = "\ue001"
    CHEAP_ADDRESS = "\ue002"
    """An address below one of the cheap top-level names, a shortened one, or a bare IP address."""
    ACCOUNT = "\ue003"
    """Letters and digits mixed, as the name of an account."""
    PHONE = "\ue004"
    NUMBER = "\ue005"
    """Five digits and more that are no mobile number."""
    FOUR = "\ue006"
    """Four digits."""
    DISGUISED = "\ue007"
    """Letters or digits of a decorative alphabet."""
    MARKED = "\ue008"
    """Combining marks on letters that have none, or invisible characters between letters."""
    SPLIT = "\ue009"
    """Single characters with something between them."""
    WORD_EMOJI = "\ue00a"
    """An emoji that stands for a word, of those that are seldom used otherwise."""
    REPEATED = "\ue00b"
    LONG = "\ue00c"


@dataclass(frozen=True, slots=True)
class Normal:
    """What `normal` makes of a text. Spaces are left only between Latin words."""

    text: str
    sounds: str
    signs: frozenset[Sign]


def normal(text: str) -> Normal:
    """The normal form of any text; never raises, lone surrogates included. Time is linear in its length."""
    spaced = _EMOTE.sub(" ", fold(text))
    spaced = _ADDRESS.sub(_address, spaced)
    spaced = _PHONE.sub(Sign.PHONE, _LETTERS_APART.sub(_joined, spaced))
    spaced = _RUN.sub(_run, spaced)
    split = _SPLIT.search(spaced)
    spaced = _BETWEEN.sub(" ", spaced).strip()
    tight = _CONTACT.sub("微信", _SPACE.sub("", spaced))
    short = _REPEATED.sub(r"\1\1", tight)
    signs = {sign for sign, pattern in _IN_RAW.items() if pattern.search(text)}
    signs |= {Sign.SPLIT} if split else set()
    signs |= {Sign.REPEATED} if short != tight else set()
    signs |= {Sign.LONG} if len(short) > _LONG else set()
    return Normal(short, sounds(short), frozenset(signs))


def _address(found: re.Match[str]) -> str:
    if found["ip"]:
        return Sign.CHEAP_ADDRESS
    name = found["name"] or found["after"]
    if name is None:  # http:// and something
        return Sign.CHEAP_ADDRESS if _SHORTENER.search(found[0]) else Sign.ADDRESS
    if name == "cn" and _OFFICIAL.search(found[0]):
        return Sign.OFFICIAL
    usual = name in ("com", "cn", "net", "org") and found["after"] is None
    return Sign.ADDRESS if usual and not _SHORTENER.search(found[0]) else Sign.CHEAP_ADDRESS


def _joined(found: re.Match[str]) -> str:
    """`q.u.n` → `qun`; enumerations of digits (1, 2, 3) stay apart."""
    bare = _NO_LETTER.sub("", found[0])
    return bare if sum(map(str.isalpha, bare)) >= 2 else found[0]


def _run(found: re.Match[str]) -> str:
    """A run of Latin letters and digits: short ones as they are, the others by what they look like."""
    run = found[0]
    if run.isdigit():
        if len(run) <= 3:
            return run
        if len(run) == 4:
            return Sign.FOUR
        return Sign.PHONE if len(run) == 11 and run[0] == "1" else Sign.NUMBER
    digits = sum(map(str.isdigit, run))
    if digits == 0 or _STANDARD.fullmatch(run):
        return run
    known = _PREFIXED.fullmatch(run)
    if known:
        return known[1] + Sign.ACCOUNT
    return Sign.ACCOUNT if len(run) >= 6 and digits >= 3 else run


_NAMES = (
    "com|cn|net|org|top|cc|vip|xyz|club|shop|site|online|info|icu|bet|ink|ltd|asia|biz|fun|win|link|work"
    "|tk|hk|tw"
)
_SHORT_NAMES = "co|me|us|in|tv|pw|one|io|app|live|pro|wang|la|im|gg"
_CJK = "\u3400-\u4dbf\u4e00-\u9fff"
_ADDRESS = re.compile(
    # digits that are an address of their own, with a port or behind http
    r"(?:https?:/{0,2})?(?P<ip>(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{2,5})?(?![\d.]))(?:/[\x21-\x7e]*)?"
    # letters, digits, dots and a known ending; the dot may be the word for it
    rf"|(?:https?:/{{0,2}})?(?<![a-z0-9])(?:[a-z0-9-]{{1,40}}\s?[.点]\s?){{1,4}}"
    rf"(?P<name>{_NAMES}|(?<=\d\.)(?:{_SHORT_NAMES}))(?![a-z0-9(])(?:[:/?#][\x21-\x7e]*)?"
    # a name in Chinese keeps its characters
    rf"|(?<=[{_CJK}])\.(?P<after>{_NAMES}|co|me)(?![a-z0-9(])"
    r"|https?:/{1,2}[\x21-\x7e]+"
)
_OFFICIAL = re.compile(r"\.(?:gov|edu|ac|mil)\.cn")
_SHORTENER = re.compile(r"(?:^|/)(?:t\.cn|dwz\.|url\.|suo\.|bit\.ly|is\.gd|link3)")
_EMOTE = re.compile(r"\[em\]e\d{1,9}\[/em\]")
_LETTERS_APART = re.compile(r"(?<![a-z0-9])[a-z0-9](?:[^\w\ue000-\ue0ff]{1,3}[a-z0-9](?![a-z0-9])){2,}")
_PHONE = re.compile(r"(?<!\d)1[3-9]\d\D{1,3}\d{4}\D{1,3}\d{4}(?!\d)")
_NO_LETTER = re.compile(r"[^a-z0-9]+")
_RUN = re.compile(r"[a-z0-9]+")
_STANDARD = re.compile(
    r"(?:gbt?|jgjt?|tsg[a-z]?|iso|aqt?|dlt?|jtg[a-z]?|cjjt?|iec|en|din|astm|hg|ip|cas|un)\d+"
)
_PREFIXED = re.compile(r"(v|vx|wx|q|qq)\d{5,}")
_SPLIT = re.compile(rf"(?<!\w)(?:[{_CJK}][^\w\ue000-\ue0ff]{{1,3}}){{2,}}[{_CJK}](?!\w)")
_BETWEEN = re.compile(r"[^\w\ue000-\ue0ff]+|_+")
_SPACE = re.compile(r"(?<![a-z0-9]) | (?![a-z0-9])")
_CONTACT = re.compile(
    r"(?<![a-z])(?:v|w|vv|ww)(?:x|信|心|芯|星|鑫|xin)(?![a-z])|wei(?:xin|x(?![a-z])|信|心)|[微薇威徽溦葳](?:x|xin)(?![a-z])|wechat"
)
_REPEATED = re.compile(r"(\D)\1{2,}")
_IN_RAW = {
    Sign.DISGUISED: re.compile(
        "[\u1d00-\u1d2b\u24b6-\u24e9\u2776-\u2793\U0001d400-\U0001d7ff\U0001f110-\U0001f189]"
        "|[\u2460-\u2473\u24ea]{2}|[\u2080-\u2089\u2070-\u2079]{2}|(?:[0-9]\ufe0f?\u20e3){2}"
    ),
    Sign.MARKED: re.compile(
        f"[0-9{_CJK}][\u0300-\u036f\u0483-\u0489\u0f18-\u0fc6\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20df\u20e4-\u20f0]"
        rf"|\w[\u00ad\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\ufeff]\w"
    ),
    Sign.WORD_EMOJI: re.compile("[➕➗🈶🉑🉐🈚🈷🛰🐧🔗🔞㊙✈🧧💰🐔🐮🀄👙🍑🦌]"),
}
