"""Messages that do not ask for a model: small talk, questions about the table or the result, and what we cannot do."""

import re
from typing import Literal

_I = re.IGNORECASE
Intent = Literal["greeting", "thanks", "help", "profile", "why", "again", "yes"]

_GREETING = (
    r"(?:hi|hello|hey|hallo|good\s+(?:morning|evening|afternoon|day)|greetings|howdy|yo)(?:\s+(?:there|"
    r"all|everyone|modelwright|again))?"
)
_POLITE = r"(?:\s*,?\s*(?:please|thanks|thank\s+you))?"
_TABLE = (
    r"(?:the\s+|this\s+|my\s+|our\s+|that\s+)?(?:data(?:\s*set)?|table|file|columns?|csv|features|"
    r"variables|rows|sheet|fields|schema)"
)
_RESULT = (
    r"(?:the\s+|this\s+|that\s+|your\s+|its\s+)(?:last\s+|latest\s+)?(?:results?|scores?|models?|verdict|"
    r"answer|numbers?|metric|choice|decision|report|outcome|baseline|contract|predictions?|performance)"
)

_WHOLE: tuple[tuple[Intent, str], ...] = (
    ("greeting", rf"{_GREETING}(?:\s*[,!.]?\s*(?:how\s+are\s+you|nice\s+to\s+meet\s+you|what\s+is\s+up))?"),
    (
        "thanks",
        (
            r"(?:ok(?:ay)?[,.!\s]+|great[,.!\s]+|super[,.!\s]+)?(?:thanks?(?:\s+(?:a\s+lot|so\s+much))?|"
            r"thank\s+you(?:\s+(?:very|so)\s+much)?|thx|cheers|great|perfect|nice|cool|well\s+done|good\s+job|bye|"
            r"goodbye)(?:[,.!\s]+(?:thanks?|thank\s+you|bye))?"
        ),
    ),
    (
        "help",
        (
            rf"(?:please\s+)?(?:help(?:\s+me)?|\?+|man|usage|info|how\s+does\s+(?:this|it)\s+work|"
            rf"how\s+do\s+i\s+(?:use\s+(?:this|it|you)|start|begin)|what\s+(?:can|do)\s+(?:you|"
            rf"i)\s+do(?:\s+(?:here|for\s+me|with\s+{_TABLE}))?|what\s+are\s+you(?:r\s+(?:skills|features))?|"
            rf"who\s+are\s+you|what\s+is\s+(?:this|modelwright)|what\s+(?:can|should)\s+i\s+(?:ask|say|type|"
            rf"write)(?:\s+you)?|show\s+(?:me\s+)?(?:the\s+)?(?:help|examples?)|examples?|(?:what|"
            rf"which)\s+(?:are\s+the\s+)?(?:options|commands)(?:\s+(?:are\s+there|do\s+i\s+have))?|"
            rf"what\s+do\s+you\s+(?:offer|support)|i\s+do\s+not\s+know(?:\s+what\s+to\s+(?:do|ask|predict))?|"
            rf"i\s+need\s+help){_POLITE}"
        ),
    ),
    (
        "again",
        (
            r"(?:(?:please\s+)?(?:again|once\s+more|one\s+more\s+time|(?:try|run|do|train)(?:\s+(?:it|this|that|"
            r"everything))?\s+(?:again|once\s+more)|re-?run(?:\s+it)?|re-?train(?:\s+it)?|repeat(?:\s+(?:it|"
            r"that))?|same\s+again|retry))"
        ),
    ),
    (
        "yes",
        (
            r"(?:yes|yep|yeah|ok(?:ay)?|sure|go(?:\s+(?:ahead|on))?|do\s+it|run(?:\s+it)?|start|continue|proceed|"
            r"approve(?:d)?|fine|right|correct|no|nope|stop|cancel)(?:\s+please)?"
        ),
    ),
)
_PROFILE = (
    (
        rf"\b(?:describe|summari[sz]e|profile|explore|inspect|overview\s+of|look\s+at|summary\s+of|"
        rf"eda(?:\s+(?:of|on|for))?|statistics\s+(?:of|for|about)|tell\s+me\s+(?:more\s+)?about|"
        rf"give\s+me\s+(?:an?\s+)?(?:overview|summary|description)\s+of|explain|understand|check|analy[sz]e|"
        rf"show(?:\s+me)?)\s+(?:all\s+)?(?:of\s+)?{_TABLE}(?:\s+(?:to\s+me|for\s+me|first|please|"
        rf"now))*\s*[.?!]*$"
    ),
    (
        r"^(?:describe|profile|eda|summary|overview|statistics|summari[sz]e)(?:\s+(?:it|this|that|"
        r"please))*\s*[.?!]*$"
    ),
    (
        rf"\bwhat\s+(?:is|are|do\s+(?:we|i|you)\s+have|does)\s+(?:there\s+)?(?:in|inside|"
        rf"contained\s+in)\s+{_TABLE}"
    ),
    rf"\bwhat\s+(?:does|do)\s+{_TABLE}\s+(?:look\s+like|contain|have|hold|mean)",
    (
        rf"\bwhat\s+is\s+{_TABLE}\s+(?:about|like)|\bwhat\s+(?:kind\s+of\s+)?data\s+(?:is\s+(?:it|this|there)|"
        rf"do\s+(?:i|we|you)\s+have)"
    ),
    (
        r"\b(?:what|which)\s+(?:columns?|variables|features|fields)\s+(?:are\s+(?:there|in)|do\s+(?:i|we|"
        r"you)\s+have|does|exist|have\s+(?:missing|gaps))"
    ),
    r"\bhow\s+many\s+(?:rows|columns|records|features|missing|gaps|duplicates|empty|variables)\b",
    (
        r"\b(?:are\s+there|any|show(?:\s+me)?|find|where\s+are)\s+(?:any\s+|the\s+)?(?:missing\s+values|"
        r"missing|gaps|duplicates?|duplicate\s+rows|empty\s+(?:cells|values))\b"
    ),
    r"\bhow\s+(?:good|clean|dirty|big|large)\s+is\s+(?:the|this|my)\s+(?:data|table|file|dataset)\b",
    r"\b(?:data\s+quality|quality\s+of\s+(?:the|my|this)\s+(?:data|table))\b",
    (
        r"\b(?:list|show(?:\s+me)?|print|see)\s+(?:all\s+)?(?:the\s+)?(?:columns?|rows|data|table|head|"
        r"first\s+(?:\w+\s+)?rows|schema|variables)(?:\s+names?)?\s*[.?!]*$"
    ),
)
_WHY = (
    (
        r"^(?:but\s+|and\s+|so\s+|ok\s+)*(?:why|how\s+come|wherefore)(?:\s+(?:so|not(?:\s+(?:better|higher|"
        r"lower))?|is\s+(?:that|this|it)(?:\s+\w+){0,3}|(?:is|was|are)\s+(?:the|this|that|your|it)\b.*|"
        r"did\s+(?:you|it)\b.*|do\s+you\b.*|should\s+i\b.*|that|this|exactly|low|bad|so\s+(?:low|bad|high|"
        r"good)|(?:lightgbm|linear|extra\s+trees)\b.*))?\s*[?!.]*$"
    ),
    rf"\b(?:explain|justify|interpret|understand|tell\s+me\s+(?:more\s+)?about)\s+(?:me\s+)?{_RESULT}",
    (
        r"^(?:please\s+)?(?:explain|elaborate|justify)(?:\s+(?:it|this|that|yourself|why|how|more|again|"
        r"in\s+(?:simple|plain)\s+(?:words|terms|english)))*\s*[?.!]*$"
    ),
    rf"\bwhat\s+do(?:es)?\s+(?:it|this|that|{_RESULT})\s+(?:mean|say|tell)",
    (
        rf"\b(?:how|what)\s+(?:good|bad|reliable|accurate|sure|well|certain)\s+(?:is|are|was|did|does)\s+(?:it|"
        rf"you|that|this|{_RESULT})"
    ),
    (
        r"\b(?:can|should|may)\s+(?:i|we)\s+(?:trust|rely\s+on|believe|use)\s+(?:it|this|that|the\s+model|"
        r"the\s+result)"
    ),
    (
        r"\b(?:is|was)\s+(?:it|this|that|the\s+(?:model|result|score))\s+(?:any\s+good|good|bad|reliable|ok|"
        r"enough|overfit\w*|trustworthy|significant)"
    ),
    (
        r"\bhow\s+(?:did|do|was|were)\s+(?:you|it|the\s+\w+|that|this)\s+(?:get|got|come|came|comput\w+|"
        r"calculat\w+|decid\w+|choos\w+|chose|find|found|measured|trained|made|work)\b"
    ),
    (
        r"^(?:what|which)\s+(?:columns?|features?|variables?|factors?|things?)?\s*(?:was|were|is|are|do|"
        r"did)?\s*(?:the\s+)?(?:most\s+)?(?:important|matters?(?:\s+(?:the\s+)?most)?|mattered(?:\s+most)?|"
        r"influential)(?:\s+(?:features?|columns?|variables?|ones?|here))?\s*\?*$"
    ),
    r"^(?:show\s+(?:me\s+)?)?(?:the\s+)?(?:feature|permutation|variable|column)\s+importances?\s*\?*$",
    r"^what\s+(?:went\s+wrong|happened|is\s+(?:wrong|the\s+(?:score|result|verdict)))\s*\?*$",
)
ONLY_TABLES = "I only talk about your table and models for it."
NO_SINGLE_NUMBERS = (
    "I cannot answer single questions about the numbers in the table yet; “describe the table” shows what I know of it."
)
NO_ANALYSES = "I cannot answer questions about the numbers in the table or draw charts on request yet."
_NO_CHARTS = "I cannot draw charts on request yet; each result comes with its own charts."
_NO_TESTS = "I do not run statistical tests yet."
_NO_GROUPS = "I cannot find groups without a target yet."
_NO_OUTLIERS = "I cannot search for unusual rows without a target yet."
ANALYSES = (NO_SINGLE_NUMBERS, NO_ANALYSES, _NO_CHARTS, _NO_TESTS, _NO_GROUPS, _NO_OUTLIERS)
"""What a script of its own could answer, where somebody can write one."""
_CANNOT: tuple[tuple[str, str], ...] = (
    (
        (
            r"\bforecast\w*\b|\btime[\s-]?series\b|\bextrapolat\w+|\b(?:sales|values?|demand|prices?)\s+(?:for|of|"
            r"in)\s+the\s+next\s+(?:\w+\s+)?(?:days?|weeks?|months?|quarters?|years?)\b|\bfuture\s+values?\b"
        ),
        "I cannot forecast a series into the future yet.",
    ),
    (
        r"\b(?:images?|photos?|pictures?|pixels?|videos?|audio|speech|sounds?|faces?|mri|x-?rays?)\b",
        "I work with tables; I cannot read images, sound or video.",
    ),
    (
        (
            r"\b(?:cluster\w*|segment(?:s|ation|ing)?|k-?means|unsupervised|group\s+(?:the\s+|my\s+|"
            r"our\s+)?(?:customers|users|people|rows|products)\s*(?:into|together|$)|find\s+(?:the\s+)?(?:groups|"
            r"segments|personas)|pca|umap|t-?sne|dimensionality)\b"
        ),
        _NO_GROUPS,
    ),
    (r"\b(?:anomal(?:y|ies)|outliers?)\b", _NO_OUTLIERS),
    (
        (
            r"\b(?:recommend(?:er|ation|ations)?\s*(?:system|engine|products?|movies?|for)?|"
            r"collaborative\s+filtering)\b"
        ),
        "I cannot build recommenders.",
    ),
    (
        (
            r"\b(?:delete|erase|wipe|rename|move|upload|format|rm\s+-\w+|encrypt)\s+(?:all\s+)?(?:of\s+)?(?:the\s+|"
            r"my\s+|your\s+|this\s+|these\s+)?(?:files?|folders?|disk|database|project|data(?:set)?|table|"
            r"everything|drive|harddisk|home|server|/\S*)|\brm\s+-rf\b|\bsudo\b|\bshutdown\b"
        ),
        "I do not touch your files.",
    ),
    (
        (
            r"\b(?:sql|select\s+\*|select\s+.+\bfrom\b|join\s+(?:the\s+|two\s+|these\s+)?tables?|"
            r"pivot(?:\s+table)?|group\s+by\s+and|vlookup)\b"
        ),
        "I cannot query or join tables yet.",
    ),
    (
        (
            r"\b(?:weather|joke|poem|story|song|news|recipe|football|soccer|president|capital\s+of|"
            r"meaning\s+of\s+life|stock\s+tips?|what\s+time\s+is\s+it|your\s+(?:favou?rite|name|age)|"
            r"are\s+you\s+(?:a\s+)?(?:human|robot|ai|alive)|love\s+you|marry)\b"
        ),
        ONLY_TABLES,
    ),
    (
        (
            r"\b(?:translate|write\s+(?:me\s+)?(?:an?\s+)?(?:e-?mail|letter|essay|poem|story|report\s+about|blog)|"
            r"chat(?:bot)?|generate\s+(?:text|images?|data)|sentiment\s+of\s+this)\b"
        ),
        "I do not write or translate texts.",
    ),
    (
        (
            r"\b(?:search|browse|google|download|scrape|look\s+up)\s+(?:the\s+|on\s+the\s+|from\s+the\s+)?(?:web|"
            r"internet|online|google|https?|site|page|wikipedia)|\bhttps?://|\bsend\s+(?:an?\s+|it\s+)?(?:e-?mail|"
            r"to)\b|\b(?:e-?mail|mail)\s+(?:it|me|this|the)\b"
        ),
        "I do not use the internet or send anything.",
    ),
    (
        r"\b(?:deploy|host|serve|put\s+(?:it|this)\s+(?:online|into\s+production))\b",
        "I cannot deploy models; you get the model and a script that uses it.",
    ),
    (
        (
            r"\b(?:plot|draw|chart|graph|visuali[sz]e|histogram|scatter\s*plot|heat\s*map|dashboard|"
            r"bar\s+chart)\b"
        ),
        _NO_CHARTS,
    ),
    (
        (
            r"\b(?:fill\s+(?:in\s+)?(?:the\s+)?(?:missing|gaps)|impute|clean(?:\s+up)?\s+(?:the|my|"
            r"this)\s+(?:data|table|file)|remove\s+(?:the\s+)?duplicates|dedup\w*|convert\s+(?:the|this|"
            r"it)\s+(?:file\s+)?to)\b"
        ),
        "I cannot change your table; a model's script does the cleaning that it needs.",
    ),
    (
        (
            r"\b(?:a/?b[\s-]test|causal(?:ity)?|hypothesis\s+test|significance\s+test|t-?test|anova|"
            r"survival\s+analysis)\b"
        ),
        _NO_TESTS,
    ),
    (
        (
            r"\b(?:what|which)\s+(?:is|was|are|were)\s+the\s+(?:average|mean|median|sum|total|maximum|minimum|max|"
            r"min|highest|lowest|largest|smallest|most\s+(?:common|frequent)|number\s+of|percentage|share|"
            r"correlation|distribution|standard\s+deviation)\b|^(?:calculate|compute|count|sum\s+up|sum|average|"
            r"correlate)\b|\bhow\s+many\s+.+\b(?:are|were|have|had|is)\s+(?:there|in)\b"
        ),
        NO_SINGLE_NUMBERS,
    ),
)


def intent_of(text: str) -> Intent | None:
    """The kind of message, if the whole of it is no request for a model. Expects normalised text."""
    plain = text.strip(" .,!?:;-").strip()
    for intent, pattern in _WHOLE:
        if re.fullmatch(rf"(?:{_GREETING}[\s,!.]+)?(?:{pattern})" if intent == "help" else pattern, plain, _I) or (
            text.strip() in ("?", "??") and intent == "help"
        ):
            return intent
    if any(re.search(pattern, text, _I) for pattern in _WHY):
        return "why"
    if any(re.search(pattern, text, _I) for pattern in _PROFILE):
        return "profile"
    return None


def cannot(text: str) -> str | None:
    """The sentence that says what we cannot do, if the message asks for such a thing."""
    return next((sentence for pattern, sentence in _CANNOT if re.search(pattern, text, _I)), None)


def wants_model(text: str) -> bool:
    """The message speaks of modelling at all, so a missing target is worth a question."""
    return bool(
        re.search(
            (
                r"\b(?:models?|predict\w*|train\w*|classif\w+|regress\w*|learn\w*|machine\s+learning|automl|ml|ai|fit|"
                r"estimat\w+|best|build|baseline|target|go|start|analy[sz]e|insights?|help\s+me)\b"
            ),
            text,
            _I,
        )
    )
