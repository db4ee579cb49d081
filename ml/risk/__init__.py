"""Risk of an encounter, from any table."""
