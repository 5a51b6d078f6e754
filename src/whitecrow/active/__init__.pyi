"""Public names for type checkers and editors; at run time `__init__.py` is lazy."""

from whitecrow.active import agreement as agreement
from whitecrow.active import exchange as exchange
from whitecrow.active import ratio as ratio
from whitecrow.active import strategies as strategies
from whitecrow.active.annotator import Annotator as Annotator
from whitecrow.active.annotator import simulate as simulate
from whitecrow.active.log import Event as Event
from whitecrow.active.log import MemoryLog as MemoryLog
from whitecrow.active.log import replay as replay
from whitecrow.active.loop import Loop as Loop
from whitecrow.active.store import Store as Store
