"""`python -m flowthings_like` is the command `flowthings-like`."""

from .cli.main import main

if __name__ == "__main__":
    raise SystemExit(main())
