"""The functions that every scope has, by subject. Importing this package declares them."""

from . import checks as checks
from . import conversions as conversions
from . import encodings as encodings
from . import failures as failures
from . import moments as moments
from . import numbers as numbers
from . import procedures as procedures
from . import queries as queries
