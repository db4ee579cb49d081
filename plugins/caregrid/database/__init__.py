"""The warehouse's PostgreSQL: starting it, its roles, its migrations, connecting to it."""
