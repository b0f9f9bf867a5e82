"""What a field takes that is one kind of JSON value and no other.

Pydantic would take "yes" for true and "3" for 3. SQL does not, and a definition means the same
whichever way it comes in.
"""

from typing import Annotated

from pydantic import Strict

Flag = Annotated[bool, Strict()]
Whole = Annotated[int, Strict()]
