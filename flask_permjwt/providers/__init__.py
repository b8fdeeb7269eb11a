"""Where else people log in: the entries of PERMJWT_PROVIDERS, and what a provider says of somebody."""
