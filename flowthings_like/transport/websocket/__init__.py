"""WebSocket connections: live subscriptions, and ThingsDB packages as messages."""
