"""From the domain to the wire: the library's types as answers for clients of one collection."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote, urlencode

from rag import types
from rag.encoding import well_formed
from rag.events import Quoted, Retrieved
from rag.verification.notes import note
from service.schemas import (
    AnswerOut,
    CitationOut,
    ClaimOut,
    DocumentOut,
    HitOut,
    QuotedOut,
    SearchOut,
)


class Wire:
    """Turns domain objects into answers for clients of one collection."""

    def __init__(self, collection: str, *, show_paths: bool) -> None:
        self.collection = collection
        self.show_paths = show_paths

    def document(self, document: types.Document) -> DocumentOut:
        out = DocumentOut.model_validate(document)
        path = well_formed(str(document.path)) if self.show_paths else document.name
        return out.model_copy(update={"path": Path(path)})

    def hit(self, hit: types.Hit) -> HitOut:
        out = HitOut.model_validate(hit)
        return out.model_copy(update={"document": self.document(hit.document)})

    def search(self, found: Retrieved) -> SearchOut:
        hits = [self.hit(hit) for hit in found.hits]
        return SearchOut(question=found.question, search_text=found.search_text, hits=hits)

    def citation(self, citation: types.Citation) -> CitationOut:
        out = CitationOut.model_validate(citation)
        urls = {
            "document": self.document(citation.document),
            "image_url": self.image_url(citation),
            "page_url": self.page_url(citation),
        }
        return out.model_copy(update=urls)

    def answer(self, answer: types.Answer) -> AnswerOut:
        return AnswerOut(
            question=answer.question,
            search_text=answer.search_text,
            text=answer.text,
            claims=[self._claim(claim) for claim in answer.claims],
            citations=[self.citation(citation) for citation in answer.citations],
            hits=[self.hit(hit) for hit in answer.hits],
            refused=answer.refused,
            finish=answer.finish,
            model=answer.model,
            computation=answer.computation,
            quoted=answer.quoted,
        )

    def quoted(self, quoted: Quoted) -> QuotedOut:
        citations = [self.citation(citation) for citation in quoted.citations]
        return QuotedOut(text=quoted.text, citations=citations)

    def _claim(self, claim: types.Claim) -> ClaimOut:
        near = self.citation(claim.near) if claim.near else None
        out = ClaimOut.model_validate(claim)
        return out.model_copy(update={"near": near, "note": note(claim)})

    def image_url(self, citation: types.Citation) -> str:
        query = {"collection": self.collection}
        if citation.boxes:
            boxes = (",".join(f"{side:.1f}" for side in box) for box in citation.boxes)
            query["boxes"] = ";".join(boxes)
        path = f"/documents/{quote(citation.document.id)}/pages/{citation.page}.png"
        return f"{path}?{urlencode(query, safe=',;')}"

    def page_url(self, citation: types.Citation) -> str:
        path = f"/documents/{quote(citation.document.id)}/file"
        return f"{path}?{urlencode({'collection': self.collection})}#page={citation.page}"
