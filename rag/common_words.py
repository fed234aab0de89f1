"""The commonest words of languages: they tell which language a text is in, and questions lose them.

Lower case, with their accents, by ISO 639-1 code.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final


def _sets(words: Mapping[str, str]) -> Mapping[str, frozenset[str]]:
    return MappingProxyType({code: frozenset(line.split()) for code, line in words.items()})


# Of running text in the Latin script, whose languages share their letters; `_by_words` counts them.
COMMON_WORDS: Final = _sets({
    "en": "the of and to in is that for it was on with as by this are be from at which or have not",
    "de": "der die und das ist von den mit zu des ein eine nicht für auf dem sich auch als wird im",
    "fr": "le la les des et est une dans que pour qui sur pas par du au avec sont ce cette aux en",
    "es": "el la los las de que y en un una es por con para del se no como más su al lo fue",
    "it": "il di che la e è un una per con non del della sono si nel alla gli dei come anche più",
    "pt": "o a os as de que e em um uma é por com para do da dos das não se no na ao foi mais",
    "nl": "de het een en van is dat op te met voor niet zijn aan er door ook als bij naar was die",
    "sv": "och att det i är som en på för med av den till inte om ett har de var från kan så",
    "da": "og at det i er som en på for med af den til ikke om et har de var fra kan der",
    "no": "og at det i er som en på for med av den til ikke om et har de var fra kan seg",
    "fi": "ja on ei se että oli ovat hän mutta kun myös tai joka sen mitä niin kuin ole olla",
    "pl": "i w na z że się nie do jest to o jak po od za przez który są dla być oraz jego",
    "cs": "a v na se je že to s z do o i jako pro ale by po jsou ve od který byl být také",
    "ro": "și de în la a cu pe nu că din este care o un pentru mai au sau fost prin ca",
    "hu": "a az és hogy nem is egy ez volt meg de csak már mint vagy ha el még után között",
    "tr": "ve bir bu da de için ile çok olarak daha en ne gibi olan sonra kadar ancak değil",
    "vi": "và của là có trong được cho với các một những không người đã này khi từ đến theo",
})  # fmt: skip

# What questions ask with, and, where COMMON_WORDS has no row, the commonest words.
_ASKING: Final = _sets({
    "de": "was wer wen wem wessen wo woher wohin wann warum wieso weshalb wie welche welcher"
    " welches welchen welchem wurde wurden war waren sind hat haben hatte kann können in an es",
    "fr": "quel quelle quels quelles qui que quoi où quand comment pourquoi combien était sont"
    " ont fut il elle ils elles se un à",
    "es": "qué quién quiénes cuál cuáles cuándo cuánto cuánta cuántos cuántas dónde cómo era"
    " eran fueron ha han a",
    "it": "chi cosa quale quali quando quanto quanta quanti quante dove come perché era ha hanno"
    " in i le lo",
    "pt": "quem qual quais quando quanto quanta quantos quantas onde como porque era são ser em",
    "nl": "wat wie waar wanneer waarom hoe hoeveel welk welke werd werden in",
    "sv": "vad vem vilka vilken vilket var när varför hur många",
    "da": "hvad hvem hvor hvornår hvorfor hvordan hvilken hvilket hvilke mange",
    "no": "hva hvem hvor når hvorfor hvordan hvilken hvilket hvilke mange",
    "fi": "mikä mitkä kuka ketkä missä milloin miksi miten kuinka monta",
    "pl": "co kto gdzie kiedy dlaczego jak jaki jaka jakie ile który która które był była było"
    " były",
    "cs": "co kdo kde kdy proč jak jaký jaká jaké kolik která které byla bylo byly",
    "ro": "ce cine unde când cum cât câți câte care era erau",
    "hu": "mi ki hol mikor miért hogyan hány mennyi melyik",
    "tr": "ne kim nerede nereye zaman neden niçin nasıl kaç hangi nedir kimdir mi mı mu mü",
    "vi": "gì ai nào đâu bao nhiêu tại sao thế như ở bị",
    "ru": "и в во не что он на я с со как а то все она так его но да ты к у же вы за бы по"
    " только ее её мне было вот от меня о из ему для при об это этот эта эти был была были быть"
    " или их чем до кто где когда почему какой какая какое какие каким какого какую какой-то"
    " сколько который которая которое которые чего чему каком какова каков",
    "uk": "і й в у не що він на я з зі як а то все вона так його але та до же за би по від про"
    " для при це цей ця ці був була були було бути або їх хто де коли чому який яка яке які"
    " скільки",
    "el": "ο η το οι τα του της των τον την και να σε με για από που ότι δεν θα είναι ήταν στο στη"
    " στην στον στα ένα μια τι ποιος ποια ποιο ποιοι ποιες πού πότε πώς γιατί πόσο πόσα πόσοι"
    " πόσες",
    "ar": "في من على إلى عن أن إن ما هو هي التي الذي هذا هذه كان كانت و أو لا ماذا متى أين"
    " كيف لماذا كم أي هل",
    "he": "של את על עם הוא היא זה זו לא כי או גם מה מי איפה היכן מתי למה מדוע איך כמה איזה",
    "hi": "का के की में है हैं और को से पर ने यह वह था थे थी एक भी कि जो तो नहीं क्या कौन कब कहाँ"
    " कैसे क्यों कितने कितनी कितना किस किसने किसे कौनसा",
    # Characters: these languages are written without spaces.
    "zh": "的 是 了 在 和 与 有 什 么 哪 谁 多 少 几 吗 呢 之 为",
    "ja": "の は が を に へ と で も か ら な だ す る た て い し こ さ れ 何 誰",
})  # fmt: skip

# Words so common that they only cost time in an English question, and in any: questions and
# documents of other languages hold English ones.
STOP_WORDS: Final = frozenset(
    "a an and are as at be been but by can could did do does for from had has have how i if in into"
    " is it its me my of on or our shall should so than that the their them then there these"
    " they this those to was we were what when where which who whom whose why will with would you"
    " your".split()
)


def stop_words(language: str) -> frozenset[str]:
    """What a question in the language loses, English words too."""
    return _ALL.get(language, STOP_WORDS)


_ALL: Final = {
    code: STOP_WORDS | COMMON_WORDS.get(code, frozenset()) | _ASKING.get(code, frozenset())
    for code in {*COMMON_WORDS, *_ASKING} - {"en"}
}
