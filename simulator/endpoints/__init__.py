"""One file for each kind of object, a package for a large one: its TABLES, its routes, how it is made.

A file put here is found by itself.
"""
