"""What all tables share: the base class with the names of constraints, and the types of ids and keys."""

from sqlalchemy import BigInteger, Integer, MetaData, String
from sqlalchemy.orm import DeclarativeBase

ID = String(128)
ACCOUNT = String(144)
"""A user's id, or that with the name of a part of the user."""
KEY = BigInteger().with_variant(Integer, "sqlite")


class Base(DeclarativeBase):
    """Naming convention of every constraint."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
