"""The endpoints. Each kind of object has a module, or a package, with its TABLES, routes and creation functions.

Modules in this folder are found automatically.
"""
