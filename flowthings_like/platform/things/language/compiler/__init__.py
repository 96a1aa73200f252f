"""Compiles a syntax tree to Python functions. Importing this package declares how each rule is compiled."""

from . import assignments as assignments
from . import calls as calls
from . import chains as chains
from . import closures as closures
from . import expressions as expressions
from . import literals as literals
from . import statements as statements
