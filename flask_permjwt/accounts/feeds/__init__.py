"""Feeds: how every process learns what was revoked or changed."""
