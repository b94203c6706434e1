"""What a learner agrees to, apart from everything else, before a photo is taken (PIPL 14, 29; REL 5.3).

The words are fixed here, so that the hash in a recorded consent names what was read. Another version gets
another hash; consents to an old one stay valid until they are taken back.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

FACE: Mapping[str, str] = MappingProxyType(
    {
        "zh": (
            "为了证明是您本人在上课，本课程会随机请您拍一张面部照片，并与您首次通过的照片比对。"
            "照片加密保存，30天后删除；比对有疑问时由人工查看，不会自动扣除学时。"
            "您可以不同意，改为回答问题，学习和学时不受影响；同意后也可以随时撤回，撤回后照片立即删除。"
        ),
        "en": (
            "To prove that it is you who attends, this lesson may ask you at random moments to take a photo "
            "of your face, and compares it with the first one that passed. Photos are kept encrypted and "
            "erased after 30 days; in doubt a person looks, and no hours are lost by a machine's word. You "
            "may decline and answer questions instead, with no disadvantage, and take your consent back at "
            "any time; your photos are then erased at once."
        ),
    }
)


def digest(text: Mapping[str, str]) -> str:
    """SHA-256 (hex) of all languages of a text, in their order."""
    return hashlib.sha256("\n".join(text[language] for language in sorted(text)).encode()).hexdigest()
