"""The normal form: what is written in many ways is one."""

from __future__ import annotations

from pathlib import Path

import pytest

from models.chat.folding import fold, sounds
from models.chat.normal import Sign, normal

NAUGHTY = Path(__file__).parents[4] / "shared" / "data" / "fuzz" / "text"
SHORT = {
    "@": Sign.ADDRESS,
    "~": Sign.CHEAP_ADDRESS,
    "§": Sign.OFFICIAL,
    "#": Sign.NUMBER,
    "$": Sign.ACCOUNT,
    "☎": Sign.PHONE,
    "¶": Sign.FOUR,
}


def with_signs(text: str) -> str:
    for short, sign in SHORT.items():
        text = text.replace(short, sign)
    return text


class TestTheSameTextInOtherLetters:
    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("ＷＥＩ　ｘｉｎ", "wei xin"),
            ("ⓐⒷ🅒🅳🇪", "abcde"),
            ("𝐚𝑏𝓬𝔡𝕖𝖋𝗀𝘩𝙞𝚓", "abcdefghij"),
            ("раураl", "paypal"),
            ("ᴡᴇᴄʜᴀᴛ", "wechat"),
            ("臺灣網絡賭場", "台湾网络赌场"),
            ("⻢⻋", "马车"),
            ("⑧❽８𝟠8️⃣", "88888"),
            ("加\u200b微\u2060信\ufeff", "加微信"),
            ("a\u0300\u0301\u0302b\u0336", "ab"),
            ("❤🈶🉑➕", "心有可加"),
            ("\ud800老师\udfff", "老师"),
            ("이건 한국어", "이건 한국어"),
        ],
    )
    def test_is_folded(self, written, read):
        assert fold(written) == read

    def test_private_characters_of_strangers_do_not_pass_for_signs(self):
        assert normal(f"a{Sign.ADDRESS}b").text == "ab"


class TestWhatIsTakenApart:
    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("加-薇-信", "加薇信"),
            ("加 微 信", "加微信"),
            ("加.。·微｜信", "加微信"),
            ("q.u.n", "qun"),
            ("v x", "v x"),
            ("加 v x", "加v x"),
            ("W-e-i-x-i-n", "微信"),
            ("good morning", "good morning"),
            ("第 3 题", "第3题"),
            ("哈哈哈哈哈哈", "哈哈"),
        ],
    )
    def test_comes_together(self, written, read):
        assert normal(written).text == read

    def test_enumerated_digits_stay_apart(self):
        assert normal("选 1、2、3").text == "选1 2 3"


class TestContacts:
    @pytest.mark.parametrize(
        "written",
        ["vx", "VX", "wx", "v信", "V❤", "weixin", "wei信", "薇x", "ｖｘ", "WeChat", "微信", "v x i n"],
    )
    def test_wechat_has_one_name(self, written):
        assert normal(written).text == "微信"

    @pytest.mark.parametrize("written", ["vxlan", "wxPython", "usb", "VX1000型"])
    def test_other_words_keep_theirs(self, written):
        assert "微信" not in normal(written).text

    @pytest.mark.parametrize(
        ("written", "read"),
        [
            ("www.moe.gov.cn/jyb_xxgk", "§"),
            ("看 https://www.example.com/a?b=c 吧", "看@吧"),
            ("jw14d.top", "~"),
            ("388ds点top", "~"),
            ("http://10.1.2.3:7788/#/x", "~"),
            ("联盟·cc", "联盟~"),
            ("t.cn/A6uGD8", "~"),
            ("QQ 1452203057", "qq#"),
            ("13800138000", "☎"),
            ("138-0013-8000", "☎"),
            ("加wan90188", "加$"),
            ("2024年", "¶年"),
            ("GB50016", "gb50016"),
            ("3.14", "3 14"),
        ],
    )
    def test_addresses_accounts_and_numbers_are_one_sign(self, written, read):
        assert normal(written).text == with_signs(read)


class TestSounds:
    @pytest.mark.parametrize("other", ["薇信", "威信", "weixin", "維新", "魏鑫"])
    def test_homophones_and_pinyin_sound_alike(self, other):
        assert normal(other).sounds == normal("微信").sounds

    def test_english_is_left_alone(self):
        assert sounds("python") == "python"

    def test_pinyin_is_read_with_the_fewest_syllables(self):
        assert len(sounds("xian")) == 1
        assert len(sounds("jiaweixin")) == 3


class TestSigns:
    @pytest.mark.parametrize(
        ("written", "sign"),
        [
            ("𝕥𝕪𝕛", Sign.DISGUISED),
            ("⑧②", Sign.DISGUISED),
            ("7\u03322\u0332", Sign.MARKED),
            ("加\u200b微", Sign.MARKED),
            ("加-薇-信", Sign.SPLIT),
            ("➕我", Sign.WORD_EMOJI),
            ("来来来来", Sign.REPEATED),
            ("长" * 100, Sign.REPEATED),
        ],
    )
    def test_the_writing_gives_itself_away(self, written, sign):
        assert sign in normal(written).signs

    @pytest.mark.parametrize(
        "written", ["老师好，声音有点小", "①选A ②选B", "Python 3.11 的 list", "🇨🇳", "\ufeff你好"]
    )
    def test_ordinary_writing_has_none(self, written):
        assert normal(written).signs == frozenset()


class TestAnything:
    @pytest.mark.parametrize(
        "text", ["", " ", "\0", "\n\t", "\ud83d", "\U0010ffff", "点", ".", "http://", "١٢٣", "½²"]
    )
    def test_has_a_normal_form(self, text):
        assert isinstance(normal(text).text, str)

    def test_every_single_character_has_one(self):
        text = "".join(map(chr, range(0x0, 0x30000)))
        assert normal(text).text

    def test_hostile_strings_of_others_have_one(self):
        files = sorted(NAUGHTY.glob("*.txt"))
        if not files:
            pytest.skip("no fuzz texts beside the checkout")
        for line in files[0].read_text(encoding="utf-8", errors="surrogateescape").splitlines():
            form = normal(line)
            assert normal(form.text).text is not None
