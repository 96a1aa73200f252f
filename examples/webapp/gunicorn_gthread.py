"""Settings of gunicorn with OS threads: gunicorn -c gunicorn_gthread.py app:app"""

worker_class = "gthread"
workers = 1
threads = 16
preload_app = True
graceful_timeout = 30
