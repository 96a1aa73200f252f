"""The WebSocket client, and live messages on top of it."""
