"""Whose a number is: the row and column of a table, the currency above it, the whole of a share,
and what a sentence has it of."""

from __future__ import annotations

import pytest

from rag.types import Finding
from rag.verification.evidence_units import gather
from rag.verification.support import Judge
from tests.test_grounding import setting

FARES = """Prices from 1 February 2032, in florins

| Ticket | Adult | Child | Senior |
| --- | --- | --- | --- |
| Day ticket, 24 hours | 7.40 | 3.70 | 5.20 |
| Week | 24.00 | 12.00 | 17.50 |
| Month | 78.00 | 29.00 | 52.00 |
| Ferry F1, return | 5.60 | 2.80 | 4.00 |"""
ACCOUNTS = """| In millions | 2019 | 2018 | Change |
| --- | --- | --- | --- |
| Net sales | 341 | 312 | 29 |
| Dividends received | 49 | 48 | 1 |
| Shares held on 31 December 2019 | 612 | 598 | 14 |
| Net assets | 1,220 | 1,365 | 145 |"""


def finding(claim: str, *texts: str) -> Finding:
    return Judge(gather(*setting(*texts))).verdict(claim).finding


@pytest.mark.parametrize(
    ("claim", "found"),
    [
        ("An adult's day ticket costs 7.40 florins.", "supported"),
        ("A monthly ticket costs an adult 78.00 florins.", "supported"),
        ("A monthly ticket costs an adult 7.40 florins.", "contradicted"),
        ("A month costs an adult 24.00.", "contradicted"),
        ("The ferry F1 and back costs an adult 78.00.", "not_said"),
        ("A month costs a child 29.00.", "supported"),
        ("A month costs a child 78.00.", "contradicted"),
    ],
)
def test_a_cell_of_the_fares(claim: str, found: Finding) -> None:
    assert finding(claim, FARES) == found


@pytest.mark.parametrize(
    ("claim", "found"),
    [
        ("Net sales were 341 in 2019.", "supported"),
        ("Net sales were 49 in 2019.", "contradicted"),
        ("Net sales were 312 in 2019.", "contradicted"),
        ("Net assets were 1,365 in 2018.", "supported"),
        ("Dividends received were 1,365 in 2018.", "contradicted"),
        # The row's label has numbers of its own.
        ("Shares held on 31 December 2019 changed by 14.", "supported"),
        ("The change of net sales was 29.", "supported"),
    ],
)
def test_a_cell_of_the_accounts(claim: str, found: Finding) -> None:
    assert finding(claim, ACCOUNTS) == found


@pytest.mark.parametrize("row", FARES.splitlines()[4:])
def test_a_row_as_it_stands_is_a_quote(row: str) -> None:
    assert finding(row, FARES, "Day tickets are valid for 24 hours, no longer.") == "supported"


def test_a_label_that_is_a_head_too_names_no_column() -> None:
    table = "| Item | Total | Part |\n| --- | --- | --- |\n| Total | 90 | 12 |\n| Roofs | 40 | 7 |"
    assert finding("The total of the part is 12.", table) == "supported"


def test_two_rows_with_one_value_leave_it_open() -> None:
    table = FARES.replace("| Week | 24.00", "| Week | 78.00")
    assert finding("A month costs an adult 78.00 florins.", table) == "supported"


@pytest.mark.parametrize(
    ("claim", "supported"),
    [
        ("An adult's day ticket costs 7.40 florins.", True),
        ("An adult's day ticket costs 7.40.", True),
        ("An adult's day ticket costs 7.40 euros.", False),
        ("An adult's day ticket costs $7.40.", False),
    ],
)
def test_a_currency_that_the_page_does_not_name(claim: str, supported: bool) -> None:
    assert (finding(claim, FARES) == "supported") is supported


def test_a_page_that_names_no_currency_says_nothing_of_it() -> None:
    assert finding("Net sales were $341 million in 2019.", ACCOUNTS) == "supported"


def test_a_page_of_two_currencies_may_mean_either() -> None:
    text = "The hall costs 500 euros a day. Guests from abroad pay by card in dollars."
    assert finding("The hall costs 500 euros a day.", text) == "supported"


# ── percentages ───────────────────────────────────────────────────────────────────────────────

PAY = (
    "The bonus came to 71 per cent of the greatest possible sum. The pay of the chief executive is"
    " 27 times that of the median employee."
)


@pytest.mark.parametrize(
    ("claim", "found"),
    [
        ("The bonus came to 71 per cent of the greatest possible sum.", "supported"),
        ("The bonus came to 71% of the greatest sum possible.", "supported"),
        ("The bonus came to 71 per cent of the pay of the median employee.", "contradicted"),
        ("The bonus came to 71 per cent of the median employee.", "contradicted"),
    ],
)
def test_a_percentage_of_something_else(claim: str, found: Finding) -> None:
    assert finding(claim, PAY) == found


def test_another_word_for_the_whole_is_no_contradiction() -> None:
    text = "Ferries brought 12 per cent of revenue in the year under review."
    assert finding("Ferries brought 12 per cent of turnover in the year.", text) != "contradicted"


# ── sentences ─────────────────────────────────────────────────────────────────────────────────

LEASE = (
    "The Landlord lets to the Tenant Unit 4 of Kestrel Wharf, with an area of 412 square metres.",
    "The Tenant of Kestrel Wharf pays a deposit of 23,500 crowns before taking possession.",
)


@pytest.mark.parametrize(
    ("claim", "supported"),
    [
        ("The deposit that the Tenant of Kestrel Wharf pays is 412 square metres.", False),
        ("The Tenant of Kestrel Wharf pays a deposit of 412 crowns.", False),
        ("The deposit that the Tenant of Kestrel Wharf pays is 23,500 crowns.", True),
        ("Unit 4 of Kestrel Wharf has an area of 412 square metres.", True),
        ("The Landlord lets 412 square metres of Kestrel Wharf to the Tenant.", True),
    ],
)
def test_a_number_of_something_that_another_sentence_tells(claim: str, supported: bool) -> None:
    question = "How high is the deposit that the tenant of Kestrel Wharf pays?"
    judge = Judge(gather(*setting(*LEASE)), question)
    assert (judge.verdict(claim).finding == "supported") is supported
    place = next(i for i, unit in enumerate(judge.evidence.units) if "412" in unit.text)
    assert judge.is_strange(claim, place) is (not supported and "deposit" in claim)


def test_a_sentence_that_says_the_rest_without_a_number_is_no_other_owner() -> None:
    texts = ("The club's fee was raised to 25 crowns.", "The club's yearly fee is due in May.")
    judge = Judge(gather(*setting(*texts)))
    assert judge.verdict("The yearly fee of the club is 25 crowns.").finding != "contradicted"
    assert not judge.is_strange("The yearly fee of the club is 25 crowns.", 0)
