"""``flask permjwt doctor``: what in an app's setting-up will go wrong in service, each with its remedy."""
