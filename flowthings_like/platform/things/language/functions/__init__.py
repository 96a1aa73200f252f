"""The functions of the language that every scope has, by subject. Importing this package declares them."""

from . import conversions as conversions
from . import data as data
from . import moments as moments
from . import numbers as numbers
from . import procedures as procedures
