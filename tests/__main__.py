"""Run the suite in an interpreter that is patched before anything else is imported.

    python -m tests --backend gevent [pytest arguments]

The three backends are three runs: patching cannot be undone, so one process can only ever be one of them.
"""

import sys

BACKENDS = ("threads", "gevent", "eventlet")


def _backend(arguments: list[str]) -> str:
    if arguments[:1] == ["--backend"] and len(arguments) > 1 and arguments[1] in BACKENDS:
        return arguments[1]
    raise SystemExit(f"usage: python -m tests --backend {{{','.join(BACKENDS)}}} [pytest arguments]")


backend = _backend(sys.argv[1:])
if backend == "gevent":
    from gevent import monkey

    monkey.patch_all()
elif backend == "eventlet":
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import eventlet

        eventlet.monkey_patch()

import pytest

print(f"== backend: {backend}", flush=True)
raise SystemExit(pytest.main(["-p", "no:cacheprovider", *sys.argv[3:]]))
