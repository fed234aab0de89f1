"""Claims turned false in one point, and true ones in other words, in five languages."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks._claim_sets import Labelled, Source, pairs
from benchmarks.support import Judged, judge
from rag.verification.closed_classes import LANGUAGES, classes, language_of
from rag.verification.differences import compared
from rag.verification.lexical import LexicalVerifier

PAIRS = Path(__file__).parent / "claim_pairs"
LEAST_CAUGHT, LEAST_KEPT = 0.85, 0.8


def together(a: str, b: str) -> bool:
    """Two words that are always two things."""
    return a != b


def judged(language: str, half: str) -> list[Judged]:
    found, _ = judge(pairs(PAIRS / f"{language}-{half}.jsonl"), LexicalVerifier())
    return found


@pytest.mark.parametrize("half", ["a", "b"])
@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_turned_false_is_caught_and_what_is_reworded_is_kept(
    language: str, half: str
) -> None:
    found = judged(language, half)
    false = [one for one in found if not one.labelled.good]
    true = [one for one in found if one.labelled.good]
    assert len(false) >= 25
    assert sum(not one.cited for one in false) >= LEAST_CAUGHT * len(false)
    assert sum(one.cited for one in true) >= LEAST_KEPT * len(true)


@pytest.mark.parametrize(
    ("language", "place", "claim", "axis"),
    [
        ("en", "The fee fell in May.", "The fee rose in May.", "direction"),
        ("en", "The tenant may sublet.", "The tenant must sublet.", "modality"),
        ("en", "Guests never vote.", "Guests vote.", "negation"),
        ("en", "Smoking is prohibited.", "Smoking is not prohibited.", "negation"),
        ("en", "A is the second largest producer.", "A is the largest producer.", "ordinal"),
        ("en", "A is a producer of oil.", "A is the largest producer of oil.", "largest"),
        ("en", "Ann is older than Bo.", "Bo is older than Ann.", "age"),
        ("en", "The bank sued the firm.", "The firm sued the bank.", "roles"),
        ("en", "The bank sued the firm.", "The bank was sued by the firm.", "roles"),
        ("en", "At least 5 members sign.", "At most 5 members sign.", "bound"),
        ("de", "Der Preis stieg im Mai.", "Der Preis sank im Mai.", "direction"),
        ("de", "Der Käufer zahlt dem Makler.", "Der Makler zahlt dem Käufer.", "roles"),
        ("fr", "Le train part avant le bus.", "Le train part après le bus.", "time"),
        ("fr", "Le conseil n'a pas signé.", "Le conseil a signé.", "negation"),
        ("es", "La obra debe terminar.", "La obra puede terminar.", "modality"),
        ("it", "Tutti i soci votano.", "Alcuni soci votano.", "quantity"),
    ],
)
def test_one_difference(language: str, place: str, claim: str, axis: str) -> None:
    found = compared(claim, place, language, together)
    assert axis in [one.axis for one in found]
    assert not compared(place, place, language, together)


@pytest.mark.parametrize(
    ("language", "place", "claim"),
    [
        ("en", "Ann is older than Bo.", "Bo is younger than Ann."),
        ("en", "The audit came before the sale.", "The sale came after the audit."),
        ("en", "The bank sued the firm.", "The firm was sued by the bank."),
        ("en", "Pets may not be kept.", "Pets must not be kept."),
        ("en", "The court did not accept the plea.", "The court rejected the plea."),
        ("en", "Keys are handed over at noon.", "At noon the keys are handed over."),
        ("de", "Hunde sind nicht erlaubt.", "Hunde sind verboten."),
        ("fr", "La loi a été signée par le roi.", "Le roi a signé la loi."),
        ("es", "Al menos tres socios firman.", "Firman tres socios como mínimo."),
        ("it", "I costi sono calati.", "I costi sono diminuiti."),
    ],
)
def test_other_words_for_the_same_are_no_difference(language: str, place: str, claim: str) -> None:
    assert not compared(claim, place, language, together)


@pytest.mark.parametrize(
    ("passage", "claim"),
    [
        (
            "The Tenant pays the deposit. The Landlord holds it in a separate account."
            " The Tenant informs the Landlord of defects.",
            "The Tenant holds it.",
        ),
        (
            "Saudi Arabia is an oil producer of the world, and Russia one of gas.",
            "The world's second largest oil producer is Saudi Arabia.",
        ),
        ("Ada Reyes hired Tom Blake in Leeds. Blake left.", "Tom Blake hired Ada Reyes in Leeds."),
    ],
)
def test_the_faults_that_were_found(passage: str, claim: str) -> None:
    row = Source("x", "x", "", (passage,), (Labelled(claim, good=False),))
    (found,), _ = judge([row], LexicalVerifier())
    assert not found.cited


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_class_has_poles_that_exclude_each_other(language: str) -> None:
    for axis, poles in classes(language).poles.items():
        assert len(poles) > 1 or axis == "only", axis


def test_a_text_without_small_words_is_of_the_language_around_it() -> None:
    assert language_of("Vistula", "fr") == "fr"
    assert language_of("Der Hund ist im Haus", "en") == "de"


@given(st.text(), st.text(), st.sampled_from(LANGUAGES))
def test_any_text_can_be_compared(claim: str, place: str, language: str) -> None:
    compared(claim, place, language, together)
    assert not compared(place, place, language, lambda _a, _b: False)
