"""What the processes of one platform tell each other, and which of them leads.

The store has the data. The bus only says that something has changed, so that no process uses an outdated
cache or keeps followers waiting. Nothing is lost when a message is: a process that gets one, or may have
missed one, looks into the store.
"""
