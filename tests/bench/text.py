"""Fresh chat text for measuring: believable, seeded, of any size, without long repeats that would flatter a cache.

Prose is a random walk over the words of Python's own help topics: each is followed by one that follows it there.
Beside the prose stand numbers, names nobody has, code with fresh names, phrases in seven scripts and emoji.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from pydoc_data.topics import topics
from random import Random
from typing import Any

_FOLLOWERS = 256  # one random byte chooses among them
_BLOCK_EXAMPLES = 2_000
_KINDS = ("system user assistant user assistant", "user assistant user assistant", "user assistant " * 3)
_WORDS_OF_ALL_MESSAGES = 176  # makes about 1.5 KB an example, JSON included
_SYLLABLES = "ba co di fu ga he ji ko lu ma ne ol pa qui ra so ti un va wex yo zan bri cle dro sta tor lin gar mon"
_SPACED = (
    "заказ уже отправлен завтра утром мы проверим адрес склад получил оплату спасибо документ готов номер",
    "η παραγγελία σας έχει σταλεί αύριο το πρωί θα ελέγξουμε τη διεύθυνση και τον αριθμό ευχαριστούμε",
    "größe straße für über natürlich möchten señor mañana también garçon déjà où été naïve façade coração",
    "تم إرسال طلبك غدا صباحا سوف نتحقق من العنوان والرقم شكرا لك المستودع استلم الدفع الوثيقة جاهزة",
    "आपका ऑर्डर भेज दिया गया है कल सुबह हम पता और नंबर जाँचेंगे धन्यवाद गोदाम को भुगतान मिल गया",
)
_UNSPACED = (
    "您的订单已经发货明天上午我们会检查地址和号码谢谢请稍等仓库收到付款文件准备好了客户问题",
    "ご注文は発送されました明日の朝に住所と番号を確認しますお待ちください倉庫入金書類カタログ",
)
_EMOJI = "😀 🎉 🚚 ✅ ❤️ 👍🏽 🇪🇺 👩\u200d💻 🔥 📦"

# A word and those that follow it; a list, because words follow each other in circles.
_Node = list[Any]


class ChatText:
    """Endless chat examples: the same seed gives the same ones, on the same version of Python."""

    def __init__(self, seed: int = 0) -> None:
        self._random = Random(seed)
        self._made = 0
        self._openings = self._chain()
        self._syllables = _SYLLABLES.split()
        self._emoji = _EMOJI.split()
        self._scripts = [(" ", words.split()) for words in _SPACED] + [("", list(signs)) for signs in _UNSPACED]

    def lines(self) -> Iterator[bytes]:
        """Yield JSON lines with their ends, no two alike, each about 1.5 KB with 4 to 6 messages."""
        while True:
            yield from self._block()

    def write(self, path: Path, size: int) -> int:
        """Write whole examples of at least `size` bytes together and less than one more; return how many."""
        left, written = size, 0
        with path.open("wb") as file:
            for line in self.lines():
                file.write(line)
                written += 1
                left -= len(line)
                if left <= 0:
                    break
        return written

    def _chain(self) -> list[_Node]:
        words = " ".join(topics.values()).split()
        after: dict[str, list[str]] = defaultdict(list)
        openings = []
        for word, following in zip(words, words[1:] + words[:1], strict=True):
            after[word].append(following)
            if word.endswith(".") and following[:1].isupper():
                openings.append(following)
        nodes: dict[str, _Node] = {word: [word, ()] for word in after}
        for word, node in nodes.items():
            node[1] = [nodes[name] for name in self._random.choices(after[word], k=_FOLLOWERS)]
        return [nodes[word] for word in openings]

    def _block(self) -> list[bytes]:
        choose = self._random.choice
        lines = []
        for _ in range(_BLOCK_EXAMPLES):
            roles = choose(_KINDS).split()
            words = _WORDS_OF_ALL_MESSAGES // len(roles)
            messages = [{"role": role, "content": self._said(role, words)} for role in roles]
            lines.append(json.dumps({"messages": messages}, ensure_ascii=False).encode() + b"\n")
        return lines

    def _said(self, role: str, about: int) -> str:
        draw = self._random.randrange
        prose = self._prose(draw(about // 2, about * 3 // 2))
        if role == "user":
            self._made += 1  # a number that no other message has keeps every line unlike the rest
            return f"Ticket {self._made}: {prose}?"
        match draw(14):
            case 0:
                return f"{prose}\n\n```python\n{self._code()}\n```\n"
            case 1:
                return f"{prose}: {self._foreign()}. {self._random.choice(self._emoji)}"
            case 2:
                return f"{prose}.\n{self._list()}"
            case 3 | 4:
                who = f"{self._name()} {self._name()}".title()
                return f"{who}: {prose}; {draw(10**6)} of {draw(10**4) / 100}."
            case _:
                return f"{prose}."

    def _prose(self, words: int) -> str:
        node = self._random.choice(self._openings)
        return " ".join([(node := node[1][byte])[0] for byte in self._random.randbytes(words)])

    def _name(self) -> str:
        return "".join(self._random.choices(self._syllables, k=self._random.randrange(2, 5)))

    def _code(self) -> str:
        function, argument, local = self._name(), self._name(), self._name()
        draw = self._random.randrange
        return (
            f"def {function}_{argument}({argument}: int) -> str:\n"
            f"    {local} = [{argument} * {draw(1000)} for _ in range({draw(90)})]\n"
            f"    if not {local}:\n"
            f'        raise ValueError("{self._name()}")\n'
            f'    return ", ".join(map(str, {local}))'
        )

    def _foreign(self) -> str:
        between, words = self._random.choice(self._scripts)
        return between.join(self._random.choices(words, k=self._random.randrange(6, 16)))

    def _list(self) -> str:
        draw = self._random.randrange
        return "\n".join(
            f"- {self._name()}-{draw(2**32):08x}: {draw(10**5)} ({self._name()})" for _ in range(draw(2, 5))
        )
