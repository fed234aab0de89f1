"""Lead-ins are no part of a claim, in five languages; what names an author is."""

from __future__ import annotations

import pytest

from rag.verification.lead_ins import claim_text


@pytest.mark.parametrize(
    ("written", "claim"),
    [
        ("Based on the given passages, the rent is 5 euros.", "the rent is 5 euros."),
        ("According to passage 3, the rent is 5 euros.", "the rent is 5 euros."),
        ("According to passages 1 and 2: the rent is 5 euros.", "the rent is 5 euros."),
        ("As stated in the document, the rent is 5 euros.", "the rent is 5 euros."),
        ("In summary, based on the provided context, the rent is 5.", "the rent is 5."),
        ("The rent is 5 euros, according to the documents.", "The rent is 5 euros."),
        ("Overall, the rent is 5 euros.", "the rent is 5 euros."),
        ("Laut den vorliegenden Dokumenten beträgt die Miete 5 Euro.", "beträgt die Miete 5 Euro."),
        ("Gemäß Textstelle 2 beträgt die Miete 5 Euro.", "beträgt die Miete 5 Euro."),
        ("D'après les passages fournis, le loyer est de 5 euros.", "le loyer est de 5 euros."),
        ("Selon le document, le loyer est de 5 euros.", "le loyer est de 5 euros."),
        ("Según los documentos proporcionados, la renta es 5.", "la renta es 5."),
        ("De acuerdo con el texto, la renta es 5.", "la renta es 5."),
        ("Secondo i passaggi forniti, il canone è di 5 euro.", "il canone è di 5 euro."),
        ("In base ai documenti, il canone è di 5 euro.", "il canone è di 5 euro."),
        ("**Based on the passages,** the rent is 5.", "the rent is 5."),
    ],
)
def test_a_lead_in_is_left_out(written: str, claim: str) -> None:
    assert claim_text(written).strip(" ,") == claim


@pytest.mark.parametrize(
    "claim",
    [
        "According to the ministry, the rent is 5 euros.",
        "Based on the rent index of 2020, the rent is 5 euros.",
        "In 2019, the rent rose.",
        "Laut Mieterbund beträgt die Miete 5 Euro.",
        "Nach der Kündigung endet der Vertrag.",
        "Selon le préfet, le loyer est de 5 euros.",
        "The keys are kept in the documents.",
        "The documents contain information on 5 tenants, of which 3 left.",
        "The documents contain information that the tenant is bankrupt.",
        "The documents provide the answer: the tenant is bankrupt.",
        "Text 3 is binding.",
    ],
)
def test_what_claims_something_stays(claim: str) -> None:
    assert claim_text(claim) == claim


@pytest.mark.parametrize(
    "nothing",
    [
        "Based on the provided passages.",
        "According to the documents:",
        "The passages provide enough information to answer the question.",
        "D'après les documents fournis.",
    ],
)
def test_a_lead_in_alone_claims_nothing(nothing: str) -> None:
    assert claim_text(nothing) == ""


@pytest.mark.parametrize("word", ["the ", "in the ", "based on the ", "1, ", "dei", "laut den "])
def test_long_runs_of_their_words_end(word: str) -> None:
    text = "x, based on " + word * 3000 + "x"
    assert claim_text(text) == text
