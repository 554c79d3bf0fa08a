"""The database: schema, connections, one unit of work."""
