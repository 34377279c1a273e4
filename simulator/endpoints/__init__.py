"""One file per kind of object: its TABLES, its routes, how it is made. A file put here is found by itself."""
