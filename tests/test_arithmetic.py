"""Questions that want arithmetic: what is computed, from which numbers, and what is left alone."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.arithmetic.computation import Computed, computed
from rag.arithmetic.formula import Result, formula, number_text
from rag.arithmetic.heads import column_heads
from rag.arithmetic.number_format import decimal_comma, written
from rag.arithmetic.periods import periods
from rag.arithmetic.question import wanted
from rag.arithmetic.scale import only_scale, scale_of

FERRIES = """Ferry traffic of the Halden line is shown below (in thousands):

| | Years ended March 31, 2031 | 2030 | 2029 |
|-|-|-|-|
| Passengers: | | | |
| Day tickets | 1,250 | 1,000 | 800 |
| Season tickets | 310 | (290) | 240 |
| Total passengers | 1,560 | 710 | 1,040 |
| Bicycles carried (1) | 45.5 | 40.0 | — |
| Share of first class | 12.5% | 10.0% | 9.0% |
"""
HARBOUR = """The tables give figures in millions.

| $ in millions | Dredging | Pilotage | Total |
|-|-|-|-|
| Revenue 2031 | $120.0 | $80.0 | $200.0 |
| Revenue 2030 | 100.0 | 75.0 | 175.0 |
| Staff costs 2031 | 30.0 | 50.0 | 80.0 |
"""
GERMAN = """Die Zahlen sind in Tausend Euro angegeben.

| | 2031 | 2030 |
|-|-|-|
| Umsatzerlöse | 1.250,5 | 1.000,0 |
| Personalkosten | 400,0 | 380,0 |
| Miete | 50,0 | 60,0 |
| Gesamtkosten | 450,0 | 440,0 |
"""
FRENCH = """Les chiffres sont en millions d'euros.

| | 2031 | 2030 |
|-|-|-|
| Chiffre d'affaires | 1 250,5 | 1 000,0 |
| Frais de personnel | 400,0 | 380,0 |
| Charges totales | 800,0 | 790,0 |
"""
SPANISH = """Las cifras están en miles de euros.

| | 2031 | 2030 |
|-|-|-|
| Ingresos | 1.250,5 | 1.000,0 |
| Gastos de personal | 400,0 | 380,0 |
| Gastos totales | 800,0 | 790,0 |
"""
ITALIAN = """Le cifre sono in milioni di euro.

| | 2031 | 2030 |
|-|-|-|
| Ricavi | 1.250,5 | 1.000,0 |
| Costi del personale | 400,0 | 380,0 |
| Costi totali | 800,0 | 790,0 |
"""
SENTENCES = """Rental income was $4.5 million in 2031 and $3.0 million in 2030.

Repairs of the quay for 2031 and 2030 were $120 and $100, respectively."""


def told(question: str, text: str) -> tuple[str, str, int]:
    found = computed(question, [text])
    assert found is not None
    assert found.result is not None
    return f"{found.result.rounded:f}", found.result.unit, found.result.scale


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What was the change in day tickets from 2030 to 2031?", ("250", "", 3)),
        ("What was the change in day tickets in 2031 from 2030?", ("250", "", 3)),
        ("By how much did day tickets increase between 2029 and 2031?", ("450", "", 3)),
        ("What is the percentage change in day tickets from 2030 to 2031?", ("25", "%", 0)),
        ("What was the growth of day tickets from 2030 to 2031?", ("25", "%", 0)),
        ("By what percentage did total passengers fall from 2029 to 2030?", ("-31.73", "%", 0)),
        ("What was the average of day tickets from 2029 to 2031?", ("1016.67", "", 3)),
        ("What is the average number of day tickets in 2029 and 2031?", ("1025", "", 3)),
        ("What is the sum of day tickets and season tickets in 2031?", ("1560", "", 3)),
        ("What is the sum of day tickets in 2030 and 2031?", ("2250", "", 3)),
        ("What is the difference between day tickets and season tickets in 2031?", ("940", "", 3)),
        ("What percentage of total passengers were season tickets in 2031?", ("19.87", "%", 0)),
        ("What are season tickets as a percentage of total passengers in 2031?", ("19.87", "%", 0)),
        ("What is the ratio of day tickets to season tickets in 2031?", ("4.03", "", 0)),
        ("How many years did day tickets exceed 900 thousand?", ("2", "", 0)),
        ("What was the change in bicycles carried from 2029 to 2030?", ("40", "", 3)),
        ("What was the change in the share of first class from 2030 to 2031?", ("2.5", "%", 0)),
        ("What was the change in season tickets from 2030 to 2031?", ("600", "", 3)),
    ],
)
def test_a_table_of_periods(question: str, expected: tuple[str, str, int]) -> None:
    assert told(question, FERRIES) == expected


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("What was the change in dredging revenue from 2030 to 2031?", ("20", "$", 6)),
        ("What is the difference between dredging and pilotage revenue in 2031?", ("40", "$", 6)),
        ("What is the percentage change in total revenue from 2030 to 2031?", ("14.29", "%", 0)),
    ],
)
def test_periods_may_be_rows(question: str, expected: tuple[str, str, int]) -> None:
    assert told(question, HARBOUR) == expected


@pytest.mark.parametrize(
    ("question", "text", "expected"),
    [
        ("Wie hoch ist die Veränderung der Umsatzerlöse von 2030 auf 2031?", GERMAN, "250.5"),
        ("Um wie viel Prozent stiegen die Umsatzerlöse von 2030 auf 2031?", GERMAN, "25.05"),
        ("Wie hoch war der Durchschnitt der Umsatzerlöse 2030 und 2031?", GERMAN, "1125.25"),
        ("Wie hoch ist die Summe von Personalkosten und Miete im Jahr 2031?", GERMAN, "450"),
        ("Welchen Anteil hat die Miete an den Gesamtkosten im Jahr 2031?", GERMAN, "11.11"),
        ("Wie hoch ist der Anteil der Miete an den Gesamtkosten 2031?", GERMAN, "11.11"),
        ("Wie hoch ist die Differenz zwischen Personalkosten und Miete 2031?", GERMAN, "350"),
        ("Quelle est la variation du chiffre d'affaires de 2030 à 2031 ?", FRENCH, "250.5"),
        ("Quel est le taux de croissance du chiffre d'affaires de 2030 à 2031 ?", FRENCH, "25.05"),
        ("Quelle est la moyenne des frais de personnel en 2030 et 2031 ?", FRENCH, "390"),
        (
            "Quelle est la part des frais de personnel dans les charges totales en 2031 ?",
            FRENCH,
            "50",
        ),
        ("¿Cuál fue la variación de los ingresos de 2030 a 2031?", SPANISH, "250.5"),
        ("¿Cuál fue la variación porcentual de los ingresos de 2030 a 2031?", SPANISH, "25.05"),
        ("¿Cuál es el promedio de los gastos de personal en 2030 y 2031?", SPANISH, "390"),
        ("Qual è la variazione dei ricavi dal 2030 al 2031?", ITALIAN, "250.5"),
        ("Qual è la variazione percentuale dei ricavi dal 2030 al 2031?", ITALIAN, "25.05"),
        ("Qual è la media dei costi del personale nel 2030 e 2031?", ITALIAN, "390"),
        ("Qual è la quota dei costi del personale sui costi totali nel 2031?", ITALIAN, "50"),
    ],
)
def test_other_languages(question: str, text: str, expected: str) -> None:
    assert told(question, text)[0] == expected


@pytest.mark.parametrize(
    ("question", "value", "writing"),
    [
        (
            "What was the change in rental income from 2030 to 2031?",
            "1.5",
            ["$4.5 million", "$3.0 million"],
        ),
        ("What is the average of quay repairs in 2030 and 2031?", "110", ["$100", "$120"]),
    ],
)
def test_operands_may_stand_in_sentences(question: str, value: str, writing: list[str]) -> None:
    found = computed(question, [SENTENCES])
    assert found is not None
    assert found.result is not None
    assert f"{found.result.rounded:f}" == value
    assert [figure.written for figure in found.figures] == writing


def test_every_operand_knows_its_place() -> None:
    found = computed(
        "What was the change in day tickets from 2030 to 2031?", ["Nothing here.", FERRIES]
    )
    assert found is not None
    assert [figure.written for figure in found.figures] == ["1,250", "1,000"]
    for figure in found.figures:
        assert figure.source == 1
        assert FERRIES[figure.start : figure.end] == figure.written
        assert FERRIES[figure.row_start : figure.row_end].startswith("| Day tickets")


def test_what_is_missing_is_named() -> None:
    found = computed("What was the change in day tickets from 2026 to 2031?", [FERRIES])
    assert found is not None
    assert found.result is None
    assert found.missing == ("2026",)
    assert [figure.written for figure in found.figures] == ["1,250"]


@pytest.mark.parametrize(
    "question",
    [
        "What were day tickets in 2031?",
        "What was the total passengers in 2031?",
        "Why did day tickets increase from 2030 to 2031?",
        "What led to the change in day tickets in 2031?",
        "What were day tickets in 2031 and 2030, respectively?",
        "In which year was the average of day tickets the largest?",
        "What was the change in lighthouse keepers from 2030 to 2031?",
        "What is the average salary of the captains?",
        "What percentage of the captains are retired?",
        "How many passengers were carried?",
        "",
        "???",
        "2031 2030",
    ],
)
def test_what_wants_none_or_has_no_operand_is_left_alone(question: str) -> None:
    assert computed(question, [FERRIES]) is None


def test_a_question_of_many_parts_is_left_to_the_model() -> None:
    parts = ", ".join(f"day tickets {number}" for number in range(3000))
    assert wanted(f"What is the sum of {parts} in 2031?") is None


def test_a_division_by_zero_is_none() -> None:
    question = "What is the percentage change in bicycles carried from 2029 to 2030?"
    assert computed(question, [FERRIES]) is None


def test_units_that_differ_are_not_added() -> None:
    table = "| | 2031 |\n|-|-|\n| Rent in Basel | €100 |\n| Rent in Boston | $120 |"
    assert computed("What is the sum of rent in Basel and rent in Boston in 2031?", [table]) is None


# ── the parts ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cell", "comma", "value", "unit"),
    [
        ("1,234", False, "1234", ""),
        ("(1,234)", False, "-1234", ""),
        ("$ (5.6)", False, "-5.6", "$"),
        ("-0.5%", False, "-0.5", "%"),
        ("1.234,5", True, "1234.5", ""),
        ("1 234", True, "1234", ""),
        ("12 Mio. €", True, "12", "€"),
        ("—", False, "0", ""),
        ("1,00,000", False, "100000", ""),
    ],
)
def test_cells(cell: str, comma: bool, value: str, unit: str) -> None:
    found = written(cell, comma=comma)
    assert found is not None
    assert (found.value, found.unit) == (Decimal(value), unit)


@pytest.mark.parametrize("cell", ["", "Total", "3-5", "1.2.3", "12 of 13", "n/a", "10/2019"])
def test_what_is_no_number(cell: str) -> None:
    assert written(cell, comma=False) is None


def test_the_cells_tell_which_sign_the_decimals_stand_behind() -> None:
    assert not decimal_comma(["1,234", "5.6"], "de")
    assert decimal_comma(["1.234", "5,6"], "en")
    assert decimal_comma(["1.234"], "de")
    assert not decimal_comma(["1,234"], "en")


@pytest.mark.parametrize(
    ("note", "power"),
    [
        ("(in millions)", 6),
        ("(Dollars in thousands, except per share data)", 3),
        ("US$'000", 3),
        ("€m", 6),
        ("in Mio. €", 6),
        ("TEUR", 3),
        ("en milliers d'euros", 3),
        ("Revenue 2031", 0),
    ],
)
def test_notes_of_scale(note: str, power: int) -> None:
    assert scale_of(note) == power


def test_notes_that_differ_give_no_scale() -> None:
    assert only_scale("(in millions) and (in thousands)") == 0
    assert only_scale("(in millions), again in millions") == 6


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("from 2018 to 2019", ["2018", "2019"]),
        ("FY19 and FY 2018", ["2019", "2018"]),
        ("2018/19 and 2017/2018", ["2018/2019", "2017/2018"]),
        ("2021-2022", ["2021-2022"]),
        ("$2018, 2,018 and 2018.5", []),
    ],
)
def test_periods(text: str, names: list[str]) -> None:
    assert [period.name for period in periods(text)] == names


def test_a_group_of_columns_shares_the_words_that_stand_over_one() -> None:
    heads = column_heads([["", "Harbour 2031", "2030", "Airport 2031", "2030"]], "en")
    assert [sorted(head.terms) for head in heads[1:]] == [["harbour"]] * 2 + [["airport"]] * 2
    centred = column_heads([["", "2031", "Years ended May 31, 2030", "2029"]], "en")
    assert len({head.group for head in centred[1:]}) == 1


def test_numbers_and_formulas_as_they_are_written() -> None:
    assert number_text(Decimal("-1234.50"), "$", comma=False) == "-$1,234.5"
    assert number_text(Decimal("1234.5"), "%", comma=True) == "1.234,5%"
    assert formula("growth", ["5", "4"]) == "(5 - 4) / 4 × 100"
    assert formula("average", ["5", "4"]) == "(5 + 4) / 2"
    assert f"{Result(Decimal(1) / 3, '', 0).rounded:f}" == "0.33"
    assert f"{Result(Decimal(1) / 300, '', 0).rounded:f}" == "0.00333"


amounts = st.decimals(min_value=1, max_value=10**9, places=2)


@given(amounts, amounts)
def test_computing_is_exact(first: Decimal, second: Decimal) -> None:
    text = f"| | 2031 | 2030 |\n|-|-|-|\n| Ferry income | {first:,.2f} | {second:,.2f} |"
    found = computed("What was the change in ferry income from 2030 to 2031?", [text])
    assert found is not None
    assert found.result is not None
    assert found.result.value == first - second


@given(st.text(max_size=80), st.text(alphabet="| -\n0123456789.,()%$abc", max_size=120))
def test_nothing_breaks_on_any_text(question: str, text: str) -> None:
    assert isinstance(computed(f"What is the change in {question}?", [text]), Computed | None)
    wanted(question)
