"""A request's JSON that can be written again: what Python reads is more than JSON has."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, model_validator

from rag.encoding import well_formed


class Sound(BaseModel):
    """A body whose texts are valid Unicode and whose numbers are finite, also inside of what we
    only hand on: a schema goes to the model's server, and is told again in a response. Half a
    character, as a client leaves that cuts an emoji, becomes a replacement sign."""

    @model_validator(mode="before")
    @classmethod
    def _sound(cls, value: Any) -> Any:
        try:
            written = json.dumps(value, ensure_ascii=False, allow_nan=False)
            written.encode()
        except UnicodeEncodeError:
            return json.loads(well_formed(written))
        except RecursionError as error:
            raise ValueError("it is nested too deep") from error
        except ValueError as error:
            raise ValueError("it holds a number that is not finite") from error
        except TypeError:  # made in Python, of our own types
            return value
        return value
