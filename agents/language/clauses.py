"""The grammar of a request: which part of a sentence names the target, what to leave out, to use, to split by."""

import re
from dataclasses import dataclass
from typing import Literal

from agents.language.words import ATOM

_I = re.IGNORECASE
ClauseKind = Literal[
    "target",
    "exclude",
    "include",
    "restore",
    "positive",
    "time_split",
    "predefined_split",
    "group_split",
    "stratified_split",
    "random_split",
    "lead",
]


@dataclass(frozen=True)
class Clause:
    """One part of a sentence; the text is marked (see marking.py) and in the user's own case."""

    kind: ClauseKind
    text: str
    cue: str = ""
    """The words that opened it, in lower case."""


_NOUN = (
    r"(?:(?:the|these|those|any|my|our)\s+)?(?:(?:columns?|features?|variables?|fields?|predictors?|"
    r"inputs?)\b\s*(?:called|named|:)?\s*)?"
)
_ALL = (
    r"(?:(?:use|take|with|on)\s+)?(?:everything|anything|(?:all|any)(?:\s+of)?(?:\s+the)?(?:\s+(?:other|"
    r"remaining))?(?:\s+(?:columns?|features?|variables?|fields?|ones?|others?))?|the\s+rest|"
    r"every\s+(?:other\s+)?(?:column|feature|variable))"
)
_GOAL = (
    r"(?:target|label|outcome|response|dependent|output|class|y)(?:\s+(?:variable|column|label|value|"
    r"feature))?"
)
_DRIVE = (
    r"(?:drives?|driving|influences?|influencing|affects?|affecting|determines?|causes?|explains?|"
    r"impacts?|predicts?|decides?|shapes?|moves?|is\s+behind|are\s+behind|leads?\s+to|contributes?\s+to|"
    r"makes?|matters?\s+(?:most\s+)?(?:for|to))"
)

REWRITES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, _I), replacement)
    for pattern, replacement in (
        # do not predict churn, predict tenure; not churn but tenure: the first is no target
        (
            r"\b(?:please\s+)?(?:(?:do|does|should|must|shall|will)\s+not|never|not)\s+(?:try\s+to\s+)?(?:predict|classify|"
            r"estimate|regress|model|guess)(?:ing)?\s+(?:(?!\b(?:but|predict|instead|classify|estimate)\b)[^.,;!?])+"
            r"(?:,?\s*\bbut\s+(?:rather\s+)?(?!predict|not\b))?",
            " predict ",
        ),
        (
            rf"\bnot\s+(?:the\s+)?{ATOM}\s*,?\s*but\s+(?:rather\s+|the\s+)*(?={ATOM})",
            " predict ",
        ),
        # train on churn
        (
            rf"\b(?:train|fit|learn)(?:\s+(?:it|a\s+model|me\s+a\s+model|models?))?\s+(?:on|for)\s+(?={ATOM})",
            "predict ",
        ),
        # R's formula: y ~ a + b, y ~ .
        (rf"({ATOM})\s*~\s*\.\s*-\s*(?={ATOM})", r"predict \1 excluding "),
        (rf"({ATOM})\s*~\s*\.(?=\s|$)", r"predict \1"),
        (rf"({ATOM})\s*~\s*", r"predict \1 using "),
        # ignore everything but age
        (
            rf"\b(?:ignor(?:e|ing)|drop(?:ping)?|exclud(?:e|ing)|remov(?:e|ing)|forget|discard(?:ing)?)\s+{_ALL}\s*,?\s*"
            r"(?:but|except(?:\s+for)?|apart\s+from|besides|other\s+than)\b",
            " using only ",
        ),
        # everything but id
        (
            (
                rf"{_ALL}\s*,?\s*(?:but|except(?:\s+for)?|apart\s+from|besides|other\s+than|minus|excluding|without|"
                rf"save)(?:\s+(?:not|without))?\b"
            ),
            r" excluding ",
        ),
        (r"\bmake\s+use\s+of\b", "using"),
        # everything starting with s: "with" is no cue here
        (r"\b(start|begin|end)(?:s|ing)?\s+(?:with|in|on)\b", r"\1swith"),
        # no id; not the id
        (rf"\b(?:no|not|never)\s+(?:the\s+)?(?={ATOM})", "excluding "),
        (r"\bno\s+(?:the\s+)?(ids?|identifiers?|dates?|text(?:\s+columns?)?)\b", r"excluding \1"),
        # leave id out, take a and b out
        (
            (
                r"\b(?:leav(?:e|ing)|tak(?:e|ing)|throw(?:ing)?|kick(?:ing)?|keep(?:ing)?)\s+((?:(?!\b(?:and\s+(?:give|"
                r"use|predict)|predict|using)\b)[^.;!?])+?)\s+(?:out|away|aside)\b"
            ),
            r"excluding \1. ",
        ),
        # predict cnt; a and b are out; predict state, opid out
        (rf"(\bpredict\s+(?:the\s+)?{ATOM})\s*,\s*((?:{ATOM}[\s,&]*(?:and\s+)?)+(?:is|are)\s+out\b)", r"\1. \2"),
        (rf"((?:{ATOM}(?:\s*(?:,|and|&)\s*)*)+)\s+(?:is|are|stays?|goes|go)\s+out\b(?!\s+of)", r". excluding \1. "),
        (rf"({ATOM})\s+out\b(?!\s+of)(?=\s*(?:[.,;!?]|$|and\b))", r". excluding \1. "),
        # put a back, add it back, use a again
        (
            (
                r"\b(?:add|put|bring|take|get|include|use)(?:ing)?\s+(?:back\s+((?:(?!\band\s+(?:give|use|"
                r"predict)).)+?)|([^.;!?]+?)\s+(?:back(?:\s+in)?|again))(?=\s*(?:[.,;!?]|$|\band\b))"
            ),
            r"restoring \1\2 ",
        ),
        # a must not be used; a is a leak; a is not known in advance
        (
            (
                rf"((?:{ATOM}(?:\s*(?:,|and|or|&)\s*)?)+)\s+(?:(?:columns?|features?)\s+)?(?:(?:must|should|can|may|"
                rf"shall|are|is|do|does|will)\s*not\s+(?:to\s+)?(?:be\s+)?(?:used|known|available|allowed|needed|"
                rf"relevant|included|considered|matter|count|there|present|help)\w*|cannot\s+be\s+used|(?:is|"
                rf"are)\s+(?:a\s+)?(?:useless|irrelevant|unavailable|forbidden|leak(?:s|ing|y|age)?|cheating|"
                rf"meaningless|noise|just\s+an?\s+(?:id|identifier|index|counter)))[^.;,!?]*"
            ),
            r"excluding \1. ",
        ),
        # the target is x; x is the target; use x as target; set the target to x
        (
            (
                rf"(?<!positive\s)\b(?:(?:the|my|our|with|set|and)\s+)*(?<!positive\s){_GOAL}\s*(?:is|are|=|:|"
                rf"should\s+be|must\s+be|will\s+be|to|called|named)\s*(?:the\s+|column\s+)*(?!\s*(?:not|what)\b)"
            ),
            " predict ",
        ),
        (
            (
                rf"(?:\b(?:use|take|set|treat|consider|with|choose|pick)\s+)?({ATOM})\s*(?:is|as|to\s+be|"
                rf"should\s+be)\s+(?:the|my|our|a)?\s*{_GOAL}\b"
            ),
            r"predict \1 ",
        ),
        # how does age affect income; the effect of age on income
        (
            (
                r"\b(?:how|in\s+what\s+way|does|do)\s+(?:does\s+|do\s+|much\s+(?:does\s+|do\s+)?)?(?:the\s+)?((?:(?!\b(?:and\s+i|"
                r"predict)\b)[^.;!?])+?)\s+(?:affect|influence|impact|drive|determine|change|matter\s+for|relate\s+to|"
                r"depend\s+on\s+to)\b"
            ),
            " predict ",
        ),
        (r"\b(?:effects?|influence|impact|importance|role)\s+of\s+(?:the\s+)?[^.;!?]+?\s+(?:on|in|for)\b", " predict "),
        # what does x depend on
        (r"\bwhat\s+(?:do|does)\s+(?:the\s+)?([^.;!?]+?)\s+depend\s+(?:up)?on\b", r" predict \1 "),
        (r"\b([^.;!?,]+?)\s+depends?\s+on\s+what\b", r" predict \1 "),
        # given age and income, predict price: an include, then a target
        # Yes is the positive class; malignant is what we care about
        (
            (
                r"([^\s,.;!?]+)\s+(?:is|as|being)\s+(?:the\s+|our\s+)?(?:positive|event)(?:\s+(?:class|label|value|"
                r"case|outcome|one))?\b"
            ),
            r" positive class is \1. ",
        ),
        (
            (
                r"([^\s,.;!?]+)\s+is\s+(?:what|the\s+(?:one|class|case)\s+(?:that)?)\s*(?:(?:we|i)\s+care\s+about|"
                r"(?:really\s+)?matters(?:\s+most)?|counts|interests\s+(?:me|us))\b"
            ),
            r" interested in \1. ",
        ),
        (r"\bwhat\s+is\s+the\s+(?=(?:probability|likelihood|chance|risk|odds)\b)", " "),
    )
)

_TARGET_CUES = (
    (
        rf"(?:what|which(?:\s+(?:columns?|features?|factors?|variables?|things?))?|what\s+(?:factors?|"
        rf"features?|things?|variables?|columns?))\s+(?:really\s+|most(?:ly)?\s+|best\s+|strongly\s+)?{_DRIVE}"
    ),
    (
        r"(?:main\s+|key\s+|biggest\s+|important\s+|most\s+important\s+|top\s+|the\s+)*(?:drivers?|factors?|"
        r"causes?|reasons?|predictors?|determinants?|influences?|features?)\s+(?:of|for|behind|affecting|"
        r"influencing|driving|that\s+(?:affect|influence|drive|determine|explain|predict))"
    ),
    r"(?:probabilit(?:y|ies)|likelihood|chances?|risk|odds|propensity)\s+(?:of|for|that|to)",
    r"how\s+likely\s+(?:is|are|it\s+is|will)(?:\s+it)?(?:\s+(?:that|for))?",
    r"(?:are\s+|is\s+|be\s+|most\s+|who\s+|more\s+)*(?:likely|going|bound|about|prone|expected)\s+to",
    r"at\s+risk\s+of",
    r"(?:(?:want|need|like|have|try(?:ing)?|wish|ask(?:ed)?)\s+to\s+|please\s+|can\s+(?:you|we|i)\s+|"
    r"could\s+(?:you|we)\s+|help\s+me\s+(?:to\s+)?|let\s+us\s+)?(?:to\s+)?(?:predict(?:s|ed|ing|ions?|ive|"
    r"or|able|ability)?|forecast(?:s|ing)?|classif(?:y|ies|ying|ication|ier)|regress(?:es|ing|ion)?|"
    r"estimat(?:e|es|ing|ion|or)|explain(?:s|ing)?|guess(?:ing)?|infer(?:ring)?|anticipat(?:e|ing)|"
    r"diagnos(?:e|ing)|recogni[sz](?:e|ing)|detect(?:ing|ion|or)?|spot(?:ting)?|flag(?:ging)?|identif(?:y|"
    r"ying)|determin(?:e|ing)|categori[sz]e|model(?:l?ing)?|figure\s+out|find\s+out|work\s+out|foresee|"
    r"tell(?:\s+(?:me|us|apart))?|distinguish|learn|understand)"
    r"(?:\s+(?:of|for|on|the|a|an|me|us|this|data|rows?|it|that|model|models|problem|task|tool|which|what|"
    r"who|where))*(?:\s+(?:if|whether))?",
    (
        r"(?:of\s+)?(?:which|what|who|those|these|customers?|people|clients?|users?|passengers?|patients?|"
        r"employees?|students?)\s+(?:\w+\s+){0,2}?(?:will|would|might|may|could|can|has|have|is|are|was|were|"
        r"did|does|do)\b(?:\s+(?:be|have|been|probably|soon|not\s+be))*"
    ),
    (
        r"(?:\bwho\b|\b(?:customers?|people|clients?|users?|passengers?|patients?|employees?|"
        r"students?)\s+(?:who|that))"
    ),
    (
        r"how\s+(?:many|much|old|expensive|big|high|long|heavy|good|tall|large|fast|late|strong|far|warm|bad|"
        r"severe)\b(?:\s+(?:is|are|will|does|do|would|did))?(?:\s+(?:it|the|a|an|there|be))*"
    ),
    r"(?:whether|(?<!even\s)\bif)(?:\s+or\s+not)?",
    r"will\s+(?:the|a|an|this|my)?",
    r"why\s+(?:do|does|did|are|is|would)",
    r"(?:what|which)\s+(?:kind|type|sort|species|class|category)\s+of",
)

_CUES: tuple[tuple[ClauseKind, re.Pattern[str]], ...] = (
    (
        "time_split",
        re.compile(
            r"\b(?:split|hold(?:ing)?[\s-]?out|validat\w+|test(?:ed|ing)?|evaluat\w+|cut|order(?:ed)?|"
            r"sort(?:ed)?)(?:\s+(?:it|the|data|rows|set|them|table|off))*\s+(?:by|on|in|over|along|after|"
            r"using)\s+(?:the\s+)?(?:time|chronolog\w+|dates?|order\s+of\s+time)\b(?:\s+order)?"
            r"|\b(?:(?:with|use|using|do|make|an?|the)\s+)*(?:time|date|temporal|chronological)(?:ly)?[\s-]*(?:based|"
            r"ordered|wise|series|aware)?\s+(?:split|hold[\s-]?out|validation|ordering)(?:\s+(?:by|on|"
            r"using)(?=\s))?"
            r"|\b(?:do\s+not|not|no|without|never)\s+shuffl\w+(?:\s+the\s+rows)?"
            r"|\bkeep\s+(?:the\s+)?(?:time|row|chronological)?\s*order\b|\bin\s+(?:time|chronological)\s+order\b"
            r"|\bchronologically\b|\bout[\s-]of[\s-]time\b"
            r"|\b(?:hold(?:ing)?[\s-]?out|test\s+on|validate\s+on|judge\s+(?:it\s+)?on|evaluate\s+on|"
            r"keep)\s+(?:the\s+)?(?:last|latest|most\s+recent|newest|later|final|future|recent)(?:\s+(?:rows?|"
            r"days?|weeks?|months?|years?|part|ones|data|period))?(?:\s+(?:as|for)\s+(?:the\s+)?(?:test\w*|"
            r"hold[\s-]?out|validation))?"
            r"|\btrain\s+on\s+(?:the\s+)?(?:past|old(?:er)?|early|earlier|first)(?:\s+(?:rows?|data|ones|part))?",
            _I,
        ),
    ),
    (
        "predefined_split",
        re.compile(
            r"\b(?:(?:use|using|keep(?:\s+to)?|respect(?:ing)?|with|on|take|follow(?:ing)?|split\s+(?:by|on|as))\s+)?"
            r"(?:(?:the|my|our|its|their|a)\s+)*(?:given|existing|pre-?defined|provided|official|original)\s+"
            r"(?:(?:train(?:ing)?[\s/-]*(?:and\s+)?test)\s+)?(?:split|partition|hold[\s-]?out)s?"
            r"(?:\s+(?:column|of\s+the\s+(?:table|data)|called|named|given|by|in|from))*",
            _I,
        ),
    ),
    (
        "random_split",
        re.compile(
            (
                r"\b(?:random(?:ly)?|shuffled?)\s+(?:split|hold[\s-]?out|validation)\b|\bsplit(?:\s+\w+){0,"
                r"2}\s+(?:randomly|at\s+random)\b|\b(?:split|hold[\s-]?out)(?:\s+\w+){0,3}\s+(?:by|at)\s+(?:chance|"
                r"random)\b|\bshuffle(?:d)?(?:\s+the\s+rows)?\b"
            ),
            _I,
        ),
    ),
    (
        "stratified_split",
        re.compile(
            (
                r"\b(?:(?:with|use|using|do|an?)\s+)*stratif\w+(?:\s+(?:split|sampling|hold[\s-]?out|"
                r"validation))?(?:\s+(?:by|on)(?:\s+(?:the\s+)?(?:target|class(?:es)?|label))?)?"
            ),
            _I,
        ),
    ),
    (
        "group_split",
        re.compile(
            r"\b(?:(?:with|use|using|an?|and)\s+)*group(?:ed|ing|wise)?(?:\s+(?:it|the|rows|split|data|k-?fold|"
            r"hold[\s-]?out|validation))*\s+(?:by|on|per|along)\b"
            r"|\b(?:split|hold(?:ing)?[\s-]?out|validat\w+)(?:\s+(?:it|the|data|rows|set|them|table|"
            r"whole))*\s+(?:by|on|per|along|after|using)\b"
            r"|\bkeep\s+(?:(?:all\s+)?(?:the\s+)?rows\s+of\s+(?:the\s+same|each|one|an?)|(?:the\s+)?same|"
            r"each)(?=[^.;!?]*\btogether\b)",
            _I,
        ),
    ),
    (
        "positive",
        re.compile(
            r"\b(?:(?:the|with|and|my|our|use|as)\s+)*(?:positive|event|interesting)(?:\s+(?:class|label|value|"
            r"case|outcome|one))?\s*(?:is|=|:|should\s+be|to|are)?"
            r"|\b(?:(?:i|we)\s+(?:only\s+|mostly\s+|mainly\s+)?(?:care|are\s+interested)(?:\s+(?:most(?:ly)?|"
            r"mainly|only))?\s+(?:about|in)|focus(?:sing)?\s+on|what\s+matters(?:\s+most)?\s+is|interested\s+in)",
            _I,
        ),
    ),
    ("restore", re.compile(rf"\brestoring\s+{_NOUN}", _I)),
    (
        "exclude",
        re.compile(
            r"\b(?:and\s+|but\s+|please\s+|by\s+|you\s+should\s+|try\s+(?:it\s+|again\s+|this\s+)?|again\s+|"
            r"same\s+)*(?:without(?:\s+using)?|exclud(?:e|es|ing)|except(?:ing)?(?:\s+for)?|ignor(?:e|es|ing)|"
            r"drop(?:s|ping)?|remov(?:e|es|ing)|delet(?:e|ing)|leav(?:e|ing)\s+out|omit(?:s|ting)?|skip(?:s|"
            r"ping)?|minus|"
            r"(?:do|does|should|must|can|may|will|please)\s*not\s+(?:use|include|consider|look\s+at|take|feed|"
            r"want|need|bother(?:\s+(?:with|about))?|care\s+(?:about|for))|cannot\s+use|never\s+use|not\s+(?:using|with|from|including|on)|other\s+than|apart\s+from|"
            r"aside\s+from|besides|but\s+not|get\s+rid\s+of|take\s+out|throw\s+out|discard(?:ing)?|"
            r"disregard(?:ing)?|avoid(?:ing)?|forget(?:\s+about)?)(?!\w)\s*" + _NOUN,
            _I,
        ),
    ),
    (
        "include",
        re.compile(
            (
                r"\b(?:and\s+|but\s+|by\s+|only\s+|just\s+|please\s+|also\s+|try\s+(?:it\s+)?)*(?:us(?:e|es|ing)|"
                r"bas(?:ed|ing)(?:\s+it)?(?:\s+(?:only|solely|just|purely))?\s+(?:up)?on|from(?!\s+(?:this|"
                r"the\s+(?:data|table|file)))|(?<!\ba\s)given(?!\s+the\s+data\b)|knowing|by\s+means\s+of|on\s+the\s+basis\s+of|"
                r"as\s+a\s+function\s+of|against|with|on|includ(?:e|ing)|consider(?:ing)?|add(?:ing)?|by|via|"
                r"(?:features?|inputs?|predictors?)\s*(?:[:=]|are\b)|plus)(?!\w)(?:\s+(?:only|just|solely|"
                r"also))?\s*(?:the\s+)?"
            )
            + _NOUN,
            _I,
        ),
    ),
    ("target", re.compile(rf"(?<![\w])(?:and\s+|then\s+|now\s+|,\s*)*(?:{'|'.join(_TARGET_CUES)})(?!\w)", _I)),
)
_SENTENCE = re.compile(r"(?:(?<=[^\d.])|(?<=\d))[.!?;](?=\s|$)|\n+|\s[-–—]\s|(?<=\w)\?")


def clauses(text: str) -> list[Clause]:
    """The clauses of a marked text in order; what stands before the first cue of a sentence is a "lead"."""
    for pattern, replacement in REWRITES:
        text = pattern.sub(replacement, text)
    return [clause for sentence in _SENTENCE.split(text) for clause in _of_sentence(sentence)]


def _of_sentence(sentence: str) -> list[Clause]:
    cues = _cues(sentence)
    if not cues:
        return [Clause("lead", sentence.strip())] if sentence.strip(" ,") else []
    found = [Clause("lead", lead)] if (lead := sentence[: cues[0][0]].strip(" ,")) else []
    for number, (start, end, kind) in enumerate(cues):
        stop = cues[number + 1][0] if number + 1 < len(cues) else len(sentence)
        found.append(Clause(kind, sentence[end:stop].strip(), re.sub(r"\s+", " ", sentence[start:end].strip().lower())))
    return found


def _cues(sentence: str) -> list[tuple[int, int, ClauseKind]]:
    """Cues from left to right without overlap; of two that begin together the longer one counts."""
    found = [
        (hit.start(), hit.end(), kind)
        for kind, pattern in _CUES
        for hit in pattern.finditer(sentence)
        if hit.end() > hit.start()
    ]
    found.sort(key=lambda hit: (hit[0], hit[0] - hit[1]))
    kept: list[tuple[int, int, ClauseKind]] = []
    for hit in found:
        if not kept or hit[0] >= kept[-1][1]:
            kept.append(hit)
    return kept


_PART = re.compile(r"\s*(?:,|;|&|\+|/|\band\b|\bor\b|\bplus\b|\bas\s+well\s+as\b|\bnor\b)\s*", _I)
_NOISE = re.compile(
    (
        r"^(?:(?:the|a|an|any|my|our|both|either|its|also|columns?|features?|variables?|fields?|values?|of|"
        r"called|named|please|too|only|just|it|them|like|such|as|the\s+like|etc|everything|data|to|for|this|"
        r"that|time|run|again|use|used|used\s+to|i|want|we|you|in|on)\b\s*)+|\s*\b(?:columns?|features?|"
        r"variables?|fields?|please|too|only|as\s+well|this\s+time|again|instead|at\s+all|etc|anymore|"
        r"any\s+more|now|thanks?|thank\s+you|for\s+(?:now|this|me|that))\b\.?$"
    ),
    _I,
)


def parts(text: str) -> list[str]:
    """The members of a list such as "a, b and the c columns"; a column may stand next to another without any sign."""
    pieces = [piece for chunk in _PART.split(text) for piece in re.split(rf"(?<={ATOM})\s+(?={ATOM})", chunk)]
    return [cleaned for piece in pieces if (cleaned := _clean(piece))]


def _clean(piece: str) -> str:
    before = None
    piece = piece.strip(" .,:;!?\"'`()[]")
    while piece != before:
        before, piece = piece, _NOISE.sub("", piece).strip(" .,:;!?\"'`()[]")
    return piece
