"""LaTeX to MathML that is safe to show: elements and attributes of a list, else the LaTeX."""

from __future__ import annotations

from functools import lru_cache
from html import escape
from xml.etree import ElementTree

_LONGEST = 2000  # characters of a formula; what is longer is shown as it is
_SPACE = "{http://www.w3.org/1998/Math/MathML}"
# The library passes on what \text{…} and \style{…} hold: tags, addresses, styles.
_ELEMENTS = frozenset(
    "math mrow mi mn mo ms mtext mspace mfrac msqrt mroot msub msup msubsup munder mover munderover"
    " mmultiscripts mprescripts mtable mtr mtd mstyle mpadded mphantom menclose".split()
)
_ATTRIBUTES = frozenset(
    "display mathvariant stretchy fence form separator accent accentunder columnalign linethickness"
    " movablelimits lspace rspace minsize maxsize width height depth symmetric scriptlevel"
    " displaystyle notation columnspacing rowspacing columnlines rowlines".split()
)


@lru_cache(maxsize=512)
def mathml(latex: str, *, block: bool) -> str:
    """MathML of a formula; its LaTeX as code where it is too long or cannot be read."""
    found = _converted(latex, "block" if block else "inline")
    if found is not None:
        return found
    code = f"<code>{escape(latex)}</code>"
    return f"<p>{code}</p>" if block else code


def _converted(latex: str, display: str) -> str | None:
    from latex2mathml import exceptions
    from latex2mathml.converter import convert

    kinds = [kind for kind in vars(exceptions).values() if isinstance(kind, type)]
    # Of bad LaTeX the library's walk may fail in any of these ways, too.
    faults: tuple[type[Exception], ...] = (
        *(kind for kind in kinds if issubclass(kind, Exception)),
        *(ElementTree.ParseError, LookupError, ValueError, TypeError),
        *(AttributeError, RecursionError, StopIteration),
    )
    if len(latex) > _LONGEST or not latex.strip():
        return None
    try:
        root = ElementTree.fromstring(convert(latex, display=display))
    except faults:
        return None
    for element in root.iter():
        if element.tag.removeprefix(_SPACE) not in _ELEMENTS:
            return None
        element.tag = element.tag.removeprefix(_SPACE)
        for name in [name for name in element.attrib if name not in _ATTRIBUTES]:
            del element.attrib[name]
    return ElementTree.tostring(root, encoding="unicode", short_empty_elements=False)
