"""How often something happened, hour by hour."""
