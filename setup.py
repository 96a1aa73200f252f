"""Packaging: what the library needs, and what each optional part adds."""

import re
import runpy
from pathlib import Path

from setuptools import find_packages, setup

HERE = Path(__file__).parent
ABOUT = runpy.run_path(str(HERE / "flowthings_like" / "about.py"))

# The lowest versions have wheels for every CPython from 3.10 to 3.13, and pass tests/packaging on each.

CORE = [
    "requests>=2.32",
    "httptools>=0.6.4",
    "orjson>=3.10.7",
    "msgpack>=1.1",
    "websocket-client>=1.8",
    "six>=1.16",
    "click>=8.2",  # the command line
]
THINGS = ["msgspec>=0.19"]  # reads ThingsDB's answers twice as fast
STREAMS = ["h2>=4.3", "numpy>=2.1", "protobuf>=5.28", "pyyaml>=6.0.2"]
RECORDS = ["numpy>=2.1"]  # records as columns; without it they are objects
EMBEDDED = [
    *STREAMS,
    "SQLAlchemy>=2.0.31,<3",
    "alembic>=1.14",  # brings tables of an earlier version up to date
    "duckdb>=1.2",  # where the platform keeps streams
    "google-re2>=1.1.20250722",
    "lark>=1.2.1",
    "wsproto>=1.2",
]
JS = [
    "quickjs-ng>=0.17.0.1"
]  # runs the JavaScript of tracks and tasks; one wheel for every CPython from 3.10
ZIPCODES = ["zipcodes>=3"]  # where the zip codes of the United States are
TASKS = [
    "APScheduler>=3.11,<4",
    "feedparser>=6.0.14",
    "paho-mqtt>=2.1,<3",
    "xmltodict>=0.14",
]  # runs the platform's tasks
GEVENT = ["gevent>=25.4.1"]
EVENTLET = ["eventlet>=0.40"]
METRICS = ["prometheus-client>=0.21"]  # what a server and a client's pools do, for Prometheus
SERVE = [*EMBEDDED, *JS, *TASKS, *ZIPCODES, *GEVENT, *METRICS, "gunicorn[gevent]>=23"]
FLASK = ["flask>=3"]
DJANGO = ["django>=5.2"]
POSTGRESQL = ["psycopg[binary]>=3.2.3"]
MYSQL = ["PyMySQL>=1.1.1"]
DUCKDB = ["duckdb>=1.2"]
JOBS = ["pyarrow>=18", "zstandard>=0.23"]  # files *.parquet and *.zst
REDIS = ["redis>=5.1"]  # the bus between the workers of a platform
TELEMETRY = ["opentelemetry-api>=1.27"]  # a span for each call of the client
PROGRESS = ["tqdm>=4.66"]
DEMO = [*EMBEDDED, *GEVENT, *PROGRESS, "matplotlib>=3.9.2"]
BENCH = [
    *THINGS,
    *GEVENT,
    *EVENTLET,
    "aiohttp>=3.10",
    "geventhttpclient>=2.3",
    "grequests>=0.7",
    "httpx>=0.28",
    "psycopg[binary,pool]>=3.2.3",
    "psycopg2-binary>=2.9",
    "python-thingsdb>=1.4.1",
    "twisted>=24.7",
    "uvloop>=0.21",
]
DOCS = ["sphinx>=8.1", "furo>=2024.8", "myst-parser>=4", "sphinxcontrib-mermaid>=1"]
DEV = [
    *SERVE,
    *EVENTLET,
    *DEMO,
    *THINGS,
    *STREAMS,
    "btrdb==5.34.2",  # BTrDB's own client: the peer of the tests of streams
    "celery[redis]>=5.4",  # whose workers the doctor must know; with the next three, in docs/libraries.md
    "djangorestframework>=3.15",
    *FLASK,
    *DJANGO,
    "responses>=0.25",
    *POSTGRESQL,
    *MYSQL,
    *DUCKDB,
    *JOBS,
    *REDIS,
    *TELEMETRY,
    "opentelemetry-sdk>=1.27",  # collects the spans that the tests look at
    "psycopg2-binary>=2.9",
    "psycogreen>=1.0.2",  # lets psycopg2 wait under gevent and eventlet
    "pg8000>=1.31.2",
    "PyMySQL>=1.1.1",
    "duckdb>=1.2",
    "grpcio>=1.66",  # the other end of the tests of gRPC
    "python-thingsdb>=1.4.1",
    "websockets>=14",  # python-thingsdb needs it for WebSockets, and does not say so
    "pandas>=2.2.3",  # and numpy with it: what an ETL job hands over
    "polars>=1.20",
    "pyuwsgi>=2.0.27",
    "pytest>=9",
    "pytest-rerunfailures>=16",
    "requests-mock>=1.12",
    "responses>=0.25",
    "vcrpy>=6",
    "hypothesis>=6.100",
    "jsonschema>=4.23",  # with the next two, tests of the OpenAPI document
    "openapi-spec-validator>=0.7.1",
    "schemathesis>=4.4; python_version>='3.11'",
    "mypy==2.4.1",  # pinned, and ruff too: what they find must not change from one day to the next
    "ruff==0.17.5",
    "grpcio-tools>=1.66",  # compiles the protocol files
    "types-protobuf",
    "types-PyYAML",
    "types-requests",
    "types-six",
    "types-tqdm",
    "build",
]


def long_description() -> str:
    """The README, with links and the picture that lead somewhere from outside a checkout too."""
    text = (HERE / "README.md").read_text(encoding="utf-8")
    pictures = rf"![\1]({ABOUT['REPOSITORY']}/raw/main/\2)"
    text = re.sub(r"!\[([^]]*)]\((?!https?:)([^)]+)\)", pictures, text)
    links = rf"[\1]({ABOUT['REPOSITORY']}/blob/main/\2)"
    return re.sub(r"(?<!!)\[([^]]*)]\((?!https?:|#)([^)]+)\)", links, text)


setup(
    name="flowthings_like",
    version=ABOUT["VERSION"],
    description="One blocking-style client for live data, parallel on gevent, eventlet and plain threads",
    long_description=long_description(),
    long_description_content_type="text/markdown",
    author="the authors of flowthings_like",
    url=ABOUT["REPOSITORY"],
    project_urls={
        "Documentation": ABOUT["DOCS"],
        "Source": ABOUT["REPOSITORY"],
        "Issues": f"{ABOUT['REPOSITORY']}/issues",
    },
    keywords=[
        *("flowthings", "thingsdb", "rest", "websocket", "client", "real-time", "time series"),
        *("gevent", "eventlet", "threads", "parallel", "lazy", "etl"),
    ],
    license="MIT",
    py_modules=["pytest_flowthings_like"],
    packages=find_packages(include=["flowthings_like", "flowthings_like.*"]),
    package_data={
        "flowthings_like": ["py.typed"],
        "flowthings_like.green.calls": ["*.pyi"],
        "flowthings_like.services": ["*.pyi"],
        "flowthings_like.services.database": ["*.pyi"],
        "flowthings_like.services.records": ["*.pyi"],
        "flowthings_like.services.rest": ["*.pyi"],
        "flowthings_like.services.streams": ["*.pyi"],
        "flowthings_like.services.things": ["*.pyi"],
        "flowthings_like.wire.btrdb": ["*.pyi", "protos/*"],
        "flowthings_like.platform.scripts": ["prelude.js"],
        "flowthings_like.platform.things.language.syntax": ["grammar.lark"],
    },
    data_files=[
        (
            "share/flowthings_like/examples",
            [
                "examples/avatars.py",
                "examples/chat.py",
                "examples/records.py",
                "examples/streams.py",
                "examples/weather.py",
            ],
        ),
        ("share/flowthings_like/examples/data", ["examples/data/weather.csv.gz", "examples/data/README.md"]),
    ],
    python_requires=">=3.10",
    install_requires=CORE,
    extras_require={
        "things": THINGS,
        "streams": STREAMS,
        "records": RECORDS,
        "embedded": EMBEDDED,
        "js": JS,
        "zipcodes": ZIPCODES,
        "tasks": TASKS,
        "gevent": GEVENT,
        "eventlet": EVENTLET,
        "serve": SERVE,
        "flask": FLASK,
        "django": DJANGO,
        "postgresql": POSTGRESQL,
        "mysql": MYSQL,
        "duckdb": DUCKDB,
        "jobs": JOBS,
        "redis": REDIS,
        "telemetry": TELEMETRY,
        "metrics": METRICS,
        "demo": DEMO,
        "bench": BENCH,
        "docs": DOCS,
        "dev": DEV,
    },
    entry_points={
        "console_scripts": ["flowthings-like = flowthings_like.cli.main:main"],
        "pytest11": ["flowthings_like = pytest_flowthings_like"],
    },
    classifiers=[
        "Development Status :: 4 - Beta",
        "Framework :: Pytest",
        "Intended Audience :: Developers",
        "Operating System :: POSIX",
        "Topic :: Software Development :: Libraries",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Typing :: Typed",
    ],
)
