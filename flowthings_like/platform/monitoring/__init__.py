"""What an operator sees of a served platform: health, metrics, and a log with request ids."""
