"""The login blueprint: schemas and short views."""
