"""The apps that are measured, one module for each library and store, written as its own documentation says."""
