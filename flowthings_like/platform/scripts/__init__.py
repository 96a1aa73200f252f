"""Runs the JavaScript of tracks and tasks in processes of its own, which can do nothing but compute."""
