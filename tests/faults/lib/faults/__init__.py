"""What the fault tests are made of: servers of our own, a proxy, an app under gunicorn, a load, and its judge."""
