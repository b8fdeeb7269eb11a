"""Who they are: models, the user store, passwords, sessions and the use-cases. No request, no response."""
