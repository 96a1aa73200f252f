"""The functions that every scope has, by subject. Importing this package declares them."""

from . import checks as checks
from . import conversions as conversions
from . import datetimes as datetimes
from . import encodings as encodings
from . import failures as failures
from . import numbers as numbers
from . import procedures as procedures
from . import queries as queries
