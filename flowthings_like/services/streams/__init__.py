"""Time series: the BTrDB client, its streams and sets of streams."""
