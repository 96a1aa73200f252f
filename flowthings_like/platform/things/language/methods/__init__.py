"""The methods of values, by the type of value. Importing this package declares them."""

from . import closures as closures
from . import containers as containers
from . import datetimes as datetimes
from . import failures as failures
from . import lists as lists
from . import numbers as numbers
from . import regexes as regexes
from . import rooms as rooms
from . import sets as sets
from . import texts as texts
from . import things as things
