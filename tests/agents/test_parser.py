"""The parser's expert against what people really type: the exact outcome of each sentence, then conversations."""

import pytest

from agents.parser import answer, parse, summary
from agents.state import Question, Request
from tests.agents.phrasings import PHRASINGS, Said
from tests.agents.schemas import SCHEMAS
from tools.schema import Schema, SchemaColumn, schema_of_names

FIELDS = (
    "target", "task", "positive_class", "include", "exclude", "metric", "budget_seconds", "split_rule", "split_column",
    "candidates", "model", "profile", "holdout_fraction", "seed", "alternatives",
)  # fmt: skip


def filled(request: Request) -> dict[str, object]:
    """The fields that hold something."""
    values = {name: getattr(request, name) for name in FIELDS}
    return {name: value for name, value in values.items() if value not in (None, ())}


def request(text: str, table: str, earlier: Request | None = None) -> Request:
    outcome = parse(text, SCHEMAS[table], earlier)
    assert isinstance(outcome, Request), outcome
    return outcome


def question(text: str, table: str, earlier: Request | None = None) -> Question:
    outcome = parse(text, SCHEMAS[table], earlier)
    assert isinstance(outcome, Question), outcome
    return outcome


def talk(table: str, *messages: str) -> list[Request | Question]:
    """A conversation: questions are answered by the next message, models and revisions become the earlier request."""
    outcomes: list[Request | Question] = []
    earlier: Request | None = None
    open_question: Question | None = None
    for message in messages:
        schema = SCHEMAS[table]
        outcome = answer(open_question, message, schema) if open_question else parse(message, schema, earlier)
        open_question = outcome if isinstance(outcome, Question) else None
        if isinstance(outcome, Request) and outcome.kind in ("model", "revise"):
            earlier = outcome
        outcomes.append(outcome)
    return outcomes


def last(table: str, *messages: str) -> Request:
    outcome = talk(table, *messages)[-1]
    assert isinstance(outcome, Request), outcome
    return outcome


@pytest.mark.parametrize("case", PHRASINGS, ids=lambda case: f"{case.table}: {case.text[:60]}")
def test_a_sentence_is_understood(case: Said) -> None:
    outcome = parse(case.text, SCHEMAS[case.table])
    if isinstance(outcome, Question):
        assert (outcome.field, outcome.choices) == (case.asks, case.choices)
        outcome = outcome.so_far
    else:
        assert case.asks == ""
    assert (outcome.kind, filled(outcome), len(outcome.assumptions)) == (case.kind, case.fields, case.assumed)
    assert outcome.text == case.text


def test_there_are_enough_sentences() -> None:
    assert len(PHRASINGS) >= 200
    assert {case.table for case in PHRASINGS} == set(SCHEMAS)


def test_assumptions_are_full_sentences() -> None:
    for case in PHRASINGS:
        outcome = parse(case.text, SCHEMAS[case.table])
        said = outcome.so_far.assumptions if isinstance(outcome, Question) else outcome.assumptions
        assert all(sentence[0].isupper() or sentence[0] == "“" for sentence in said)
        assert all(sentence.endswith(".") for sentence in said)


def test_every_reply_says_what_we_can_do() -> None:
    for case in PHRASINGS:
        if case.kind == "unsupported":
            assert "predict " in request(case.text, case.table).reply


def test_a_forecast_is_declined_with_what_works_instead() -> None:
    reply = request("forecast cnt", "bike").reply
    assert "cannot forecast" in reply
    assert "predict cnt, split by dteday" in reply


def test_an_unknown_word_asks_with_ranked_choices() -> None:
    asked = question("predict salary in 2 minutes", "titanic")
    assert asked.text == "I find no column for “salary”. Which column should I predict?"
    assert asked.choices[0] == "Survived"
    assert len(asked.choices) <= 6
    assert asked.so_far.budget_seconds == 120


def test_a_target_in_other_words_is_stated() -> None:
    assert request("which customers will leave", "telco").assumptions == ("I take “leave” to mean the column “Churn”.",)


# --- follow-ups ---


def test_columns_leave_and_come_back() -> None:
    steps = talk("telco", "predict churn", "try without tenure", "try without Contract too", "add it back")
    assert [step.exclude for step in steps if isinstance(step, Request)] == [
        (),
        ("tenure",),
        ("tenure", "Contract"),
        ("tenure",),
    ]
    assert all(step.kind == "revise" and step.target == "Churn" for step in steps[1:] if isinstance(step, Request))


def test_them_are_the_columns_of_the_last_message() -> None:
    steps = ("predict tip", "drop fare", "drop tolls and distance")
    assert last("taxis", *steps, "add them back").exclude == ("fare",)
    assert last("taxis", *steps, "add fare back and drop color").exclude == ("tolls", "distance", "color")


def test_nothing_to_add_back_is_said() -> None:
    assert last("telco", "predict churn", "add it back").assumptions == (
        "No column was left out, so there is nothing to add back.",
    )


def test_again_with_everything_forgets_what_was_left_out() -> None:
    revised = last("wine_quality", "predict quality from pH and alcohol", "also use density", "again with everything")
    assert (revised.include, revised.exclude) == ((), ())
    assert last("wine_quality", "predict quality from pH", "also use density").include == ("pH", "density")
    assert last("wine_quality", "predict quality from pH", "use only density").include == ("density",)


@pytest.mark.parametrize(
    ("message", "changed"),
    [
        ("optimise recall", {"metric": "recall"}),
        ("by f1 please", {"metric": "f1"}),
        ("give it 2 minutes", {"budget_seconds": 120.0}),
        ("more time", {"budget_seconds": 180.0}),
        ("faster", {"budget_seconds": 45.0}),
        ("use only a linear model", {"candidates": ("linear",)}),
        ("small and explainable please", {"profile": "explainable"}),
        ("give me an interpretable model", {"profile": "explainable"}),
        ("I want a compact model", {"profile": "compact"}),
        ("make it a fast model", {"profile": "compact"}),
        ("as accurate as possible", {"profile": "best"}),
        ("without boosting", {"candidates": ("linear", "extra_trees", "neural_net")}),
        ("the positive class is No", {"positive_class": "No"}),
        ("split randomly", {"split_rule": "random"}),
        ("hold out 30%", {"holdout_fraction": 0.3}),
        ("seed 5", {"seed": 5}),
        ("ignore the ids", {"exclude": ("gender", "customerID")}),
        ("again", {}),
        ("predict churn again", {}),
    ],
)
def test_a_follow_up_changes_one_thing(message: str, changed: dict[str, object]) -> None:
    first = request("predict churn without gender in 90 s", "telco")
    revised = request(message, "telco", first)
    assert revised.kind == "revise"
    assert filled(revised) == {**filled(first), **changed}


def test_another_target_keeps_what_does_not_hang_on_it() -> None:
    revised = last("telco", "predict churn without gender, recall, 90 s", "predict monthly charges instead")
    assert filled(revised) == {"target": "MonthlyCharges", "exclude": ("gender",), "budget_seconds": 90.0}
    assert "“MonthlyCharges” now instead of “Churn”, still without “gender”" in revised.assumptions[0]


def test_the_other_column_is_the_one_that_was_not_chosen() -> None:
    steps = talk("telco", "predict charges", "TotalCharges", "no, the other column", "the other one")
    assert [step.target for step in steps if isinstance(step, Request)] == [
        "TotalCharges",
        "MonthlyCharges",
        "TotalCharges",
    ]


def test_the_other_column_asks_when_it_is_open_which() -> None:
    asked = talk("telco", "predict churn", "no, the other column")[-1]
    assert isinstance(asked, Question)
    assert "Churn" not in asked.choices


@pytest.mark.parametrize(
    "message", ["why?", "is it any good?", "explain the result", "what matters most?", "why so low?"]
)
def test_a_question_about_the_result_is_why(message: str) -> None:
    asked = request(message, "telco", request("predict churn", "telco"))
    assert (asked.kind, asked.target) == ("why", "Churn")
    assert request(message, "telco").kind != "why"


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("hi", "help"),
        ("thanks", "help"),
        ("help", "help"),
        ("describe the table", "profile"),
        ("tell me a joke", "unsupported"),
    ],
)
def test_small_talk_leaves_the_request_alone(message: str, kind: str) -> None:
    first = request("predict churn without gender", "telco")
    assert request(message, "telco", first).kind == kind


# --- questions and answers ---


@pytest.mark.parametrize(
    "reply",
    [
        "TotalCharges",
        "totalcharges",
        "2",
        "the second one",
        "the latter",
        "“TotalCharges”",
        "total",
        "total charges please",
    ],
)
def test_an_answer_is_a_choice_its_number_or_words(reply: str) -> None:
    assert last("telco", "predict charges without gender", reply).target == "TotalCharges"
    assert last("telco", "predict charges without gender", reply).exclude == ("gender",)


def test_an_answer_may_add_wishes() -> None:
    completed = last("wine_quality", "train a model", "quality, without pH, in 2 minutes, as regression")
    assert filled(completed) == {
        "target": "quality",
        "task": "regression",
        "exclude": ("pH",),
        "budget_seconds": 120.0,
    }


def test_an_answer_that_says_nothing_asks_again() -> None:
    asked = talk("titanic", "predict salary", "hm, whatever you think")[-1]
    assert isinstance(asked, Question)
    assert asked.choices[0] == "Survived"


def test_a_new_sentence_is_an_answer_too() -> None:
    assert last("titanic", "predict salary", "then predict Fare").target == "Fare"
    assert last("titanic", "predict salary", "never mind").kind == "help"


def test_the_moment_of_a_row_is_asked_for() -> None:
    completed = last("taxis", "predict tip, hold out by time", "pickup")
    assert (completed.split_rule, completed.split_column) == ("time", "pickup")


# --- names ---


def names(*columns: str) -> Schema:
    return schema_of_names(columns)


@pytest.mark.parametrize(
    ("columns", "text", "target"),
    [
        (("a b", "Umsatz (€)"), "predict umsatz", "Umsatz (€)"),
        (("x", "y"), "predict y", "y"),
        (("Age", "age"), "predict age", "age"),
        (("Age", "age"), "predict Age", "Age"),
        (("price", "predict"), "predict predict", "predict"),
        (("using", "price"), "predict `using`", "using"),
        (("hours.per.week", "b"), "predict hours.per.week", "hours.per.week"),
        (("time in hospital", "b"), "predict time in hospital without b", "time in hospital"),
        (("销售额", "b"), "predict 销售额", "销售额"),
        (("prénom", "âge"), "predict âge", "âge"),
        (("IS_FRAUD", "b"), "detect fraud", "IS_FRAUD"),
        (("default payment next month", "b"), "predict default", "default payment next month"),
        (("drop table users; --", "b"), 'predict "drop table users; --"', "drop table users; --"),
        (("{{example}}", "b"), "predict example", "{{example}}"),
    ],
)
def test_odd_names_are_only_names(columns: tuple[str, ...], text: str, target: str) -> None:
    outcome = parse(text, names(*columns))
    assert isinstance(outcome, Request)
    assert outcome.target == target


def test_the_name_in_the_file_is_understood() -> None:
    schema = Schema((SchemaColumn("price_1", original="Price!"), SchemaColumn("b")))
    outcome = parse("predict `Price!`", schema)
    assert isinstance(outcome, Request)
    assert outcome.target == "price_1"


def test_ten_thousand_columns_are_read() -> None:
    schema = names(*(f"feature_{number}" for number in range(10_000)), "churn")
    outcome = parse("pedict chrun without feature_77 and feature_9999", schema)
    assert isinstance(outcome, Request)
    assert (outcome.target, outcome.exclude) == ("churn", ("feature_77", "feature_9999"))


@pytest.mark.parametrize(
    "text", ["", "   ", "?", "\ue000\ue001", "\x00", "a " * 3000, "predict " * 900, "((((" * 300, "'\"`[" * 50]
)
def test_any_text_has_an_outcome(text: str) -> None:
    assert isinstance(parse(text, SCHEMAS["telco"]), Request | Question)


def test_a_wall_of_text_is_read_to_a_limit_that_is_said() -> None:
    outcome = request("predict churn. " + "We have many customers in many places. " * 60, "telco")
    assert outcome.target == "Churn"
    assert any("first 1,500 characters" in sentence for sentence in outcome.assumptions)


# --- one sentence ---


def test_the_summary_says_what_will_be_done_and_assumed() -> None:
    text = summary(request("which customers will leave? ignore gender, recall, 90 s", "telco"), SCHEMAS["telco"])
    assert text == (
        "I will predict “Churn” (“No” or “Yes”) from 18 columns, without “gender”, judged by recall, "
        "in at most 90 seconds. I take “leave” to mean the column “Churn”."
    )
    assert summary(request("describe the table", "telco"), SCHEMAS["telco"]) == "I will describe the table."


def test_a_measure_that_does_not_fit_is_not_announced() -> None:
    said = summary(request("predict species metric rmse", "iris"), SCHEMAS["iris"])
    assert "judged by" not in said
    assert "RMSE does not fit “species”, whose values are classes, so I judge by log-loss instead." in said
    assert "“banana” is no measure that I know" in summary(
        request("predict churn, metric banana", "telco"), SCHEMAS["telco"]
    )


def test_a_measure_that_does_not_fit_the_answer_is_said_too() -> None:
    chosen = last("telco", "predict charges, metric f1", "MonthlyCharges")
    assert (chosen.target, chosen.metric) == ("MonthlyCharges", None)
    assert any("F1 does not fit" in sentence for sentence in chosen.assumptions)


@pytest.mark.parametrize("word", ["turnover", "foo", "zz"])
def test_a_word_that_resembles_no_column_is_asked_about(word: str) -> None:
    asked = parse(f"predict {word}", names("a", "b", "y"))
    assert isinstance(asked, Question)
    assert asked.text == f"I find no column for “{word}”. Which column should I predict?"
    assert set(asked.choices) == {"a", "b", "y"}


def test_a_question_has_no_stray_blanks() -> None:
    assert "“how much will a customer pay”" in question("how much will a customer pay per month?", "telco").text


@pytest.mark.parametrize(
    ("table", "text", "sentence"),
    [
        ("telco", "predict churn for senior citizens only", "I do not filter rows yet"),
        ("california", "predict house value for houses near the ocean", "rows other than “NEAR OCEAN” are used too"),
        ("bike", "predict cnt, train on 2011 and test on 2012", "I do not split at an exact year"),
        ("telco", "predict churn, treat SeniorCitizen as a category", "set its role to category in the contract"),
        ("telco", "predict churn with 95% recall", "I do not train towards a figure such as “95% recall”"),
        ("taxis", "will they tip or not?", "so I predict how much, not whether"),
        ("wine_quality", "which wines are great (quality >= 7)?", "I do not make classes of “quality >= 7” yet"),
        ("wine_quality", "quality, MAE", "MAE judges numbers, so I predict “quality” as a number."),
    ],
)
def test_what_is_not_kept_is_said(table: str, text: str, sentence: str) -> None:
    assert any(sentence in said for said in request(text, table).assumptions)


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("predict churn for a customer using tenure only", {"target": "Churn", "include": ("tenure",)}),
        (
            "predict churn, hold out 20%, train in 2000 seconds",
            {"target": "Churn", "holdout_fraction": 0.2, "budget_seconds": 2000.0},
        ),
        ("predict churn out of tenure", {"target": "Churn"}),
    ],
)
def test_what_is_kept_is_not_taken_for_what_is_not(text: str, fields: dict[str, object]) -> None:
    assert filled(request(text, "telco")) == fields


def test_a_column_named_like_a_year_is_no_split() -> None:
    outcome = parse("train on 2012", names("2011", "2012"))
    assert isinstance(outcome, Request)
    assert (outcome.target, outcome.split_rule) == ("2012", None)
