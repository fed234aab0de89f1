"""Words that stand in documents for words that stand in questions.

A question asks for the "quick ratio" or the "P&L"; the filing has neither, but it has the lines
that these are made of, in statements with other names. A small embedder does not bridge that.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from rag.terms import phrase_pattern

_BALANCE = "consolidated balance sheets"
_INCOME = "consolidated statements of income"
_CASH = "consolidated statements of cash flows"

# Regular expression → words to search for. The names of ratios and statements as accounting defines
# them, and the captions under which US filings print their parts.
FILINGS: Final[Mapping[str, str]] = MappingProxyType(
    {
        r"capital expenditures?|capex|capital[- ]intensive": (
            f"purchases of property, plant and equipment; {_CASH}"
        ),
        r"pp&?n?e|property,? plant": f"property, plant and equipment, net; {_BALANCE}",
        r"operating (?:profit )?margin": f"operating income, total revenue; {_INCOME}",
        r"gross (?:profit )?margin": f"gross profit, net sales, cost of sales; {_INCOME}",
        r"net (?:profit )?margin": f"net income, revenue; {_INCOME}",
        r"(?:quick|current|liquidity) ratio|working capital": (
            "total current assets, total current liabilities, cash and cash equivalents, "
            f"receivables; {_BALANCE}"
        ),
        r"free cash ?flow": (
            f"net cash provided by operating activities, purchases of property; {_CASH}"
        ),
        r"dpo|days payable": f"accounts payable, cost of goods sold, inventories; {_BALANCE}",
        r"dso|days sales outstanding": f"accounts receivable, revenue; {_BALANCE}",
        r"dio|days inventory|inventory turnover": f"inventories, cost of goods sold; {_BALANCE}",
        r"cogs|costs? of goods sold": "cost of sales; cost of revenue",
        r"ebitda": f"operating income, depreciation and amortization; {_INCOME}",
        r"ebit": f"operating income; {_INCOME}",
        r"eps|earnings per share": f"net income per share, basic, diluted; {_INCOME}",
        r"d&a": f"depreciation and amortization; {_CASH}",
        r"sg&a": f"selling, general and administrative expenses; {_INCOME}",
        r"r&d": f"research and development expenses; {_INCOME}",
        r"roa|return on assets": f"net income, total assets; {_BALANCE}",
        r"roe|return on equity": f"net income, total stockholders' equity; {_BALANCE}",
        r"asset turnover": f"net sales, total assets; {_BALANCE}",
        r"effective tax rate": f"provision for income taxes, income before income taxes; {_INCOME}",
        r"dividend payout|payout ratio": f"cash dividends paid, net income; {_CASH}",
        r"interest coverage": f"operating income, interest expense; {_INCOME}",
        r"leverage|debt[- ]to[- ]equity": f"long-term debt, total stockholders' equity; {_BALANCE}",
        r"p&l|profit (?:and|&) loss|income statement|statements? of income|(?:net|total) revenue"
        r"|revenue growth|change in revenue": (
            f"{_INCOME}; consolidated statements of operations; consolidated statements of "
            "earnings; net sales, total revenues"
        ),
        r"balance sheet|financial position": (
            f"{_BALANCE}; statement of financial position; total assets, total liabilities"
        ),
        r"cash ?flow statement|statements? of cash ?flows?": (
            f"{_CASH}; net cash provided by operating activities"
        ),
    }
)


NONE: Final[Mapping[str, str]] = MappingProxyType({})
# By the setting `profile`.
PROFILES: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {"none": NONE, "filings": FILINGS}
)


def expansion(question: str, entries: Mapping[str, str]) -> str:
    """What else to search for: the words of every entry whose expression the question holds."""
    found = (
        words
        for entry, words in entries.items()
        if words and phrase_pattern(entry).search(question)
    )
    return "; ".join(dict.fromkeys(found))


def glossary(profile: str, own: Mapping[str, str]) -> Mapping[str, str]:
    """The profile's entries and the user's. One of the profile's own takes its place; "" switches
    it off.

    The keys must be regular expressions (`Settings` sees to it); case and inflection as written.
    """
    return MappingProxyType({**PROFILES[profile], **own})
