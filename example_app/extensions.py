"""The extension objects that the views and the factory share."""

from flask_sqlalchemy import SQLAlchemy

from flask_permjwt import PermJWT

db = SQLAlchemy()
permjwt = PermJWT(db=db)
