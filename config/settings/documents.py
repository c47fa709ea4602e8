"""Where documents are kept: by namespace in the database, in Redis, in files, or in what a package brings."""

from config.env import env
from config.settings.databases import DATA_DIR, REDIS_URL

# namespace=backend,...; the namespace * stands for all others.
DOCUMENT_BACKENDS: dict[str, str] = env.dict("DOCUMENT_BACKENDS", default={})
DOCUMENT_REDIS_URL = env.str("DOCUMENT_REDIS_URL", default="") or REDIS_URL
DOCUMENT_REDIS_PREFIX = "agentledger:documents:"
DOCUMENT_DIR = env.path("DOCUMENT_DIR", default=str(DATA_DIR / "documents"))
