"""Settings of gunicorn with gevent workers: gunicorn -c gunicorn_gevent.py app:app"""

# First of all: gunicorn reads this file before it imports anything else of the application.
from gevent import monkey

monkey.patch_all()

worker_class = "gevent"
workers = 1
worker_connections = 1000
preload_app = True  # the workers share the memory of what is imported
graceful_timeout = 30  # seconds that requests in flight have after SIGTERM or SIGHUP
