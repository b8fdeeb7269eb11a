"""Issuers: tokens that others have signed, and whose word counts here. Pure: clock and fetcher are passed in."""
