"""The experiments database: the only truth about a run. The only home of SQLAlchemy and alembic."""

from mlab.store.claims import Holder
from mlab.store.commit import Saved
from mlab.store.store import Store

__all__ = ["Holder", "Saved", "Store"]
