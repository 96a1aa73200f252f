"""Binary records: the TStorage client, its records, payloads and answers."""
