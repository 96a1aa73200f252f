"""The methods of values, by the type of value. Importing this package declares them."""

from . import containers as containers
from . import lists as lists
from . import regexes as regexes
from . import rooms as rooms
from . import sets as sets
from . import texts as texts
from . import things as things
