"""The face to Flask: transports, the hook, the decorators, the policy table, errors to responses."""
