"""The environment: reads variables, `<NAME>_FILE` secrets and the `.env` file, and knows where data lives."""

import os
from pathlib import Path

import environ

BASE_DIR = Path(__file__).resolve().parent.parent

env = environ.FileAwareEnv()
# ENV_FILE lets tests and containers name another file (or none: an empty value) without touching the checkout.
ENV_FILE = os.environ.get("ENV_FILE", str(BASE_DIR / ".env"))
if ENV_FILE and Path(ENV_FILE).is_file():
    env.read_env(ENV_FILE)


def data_dir() -> Path:
    """Return DATA_DIR as an absolute path, making it (mode 0700) when it is missing.

    A relative value is taken from the project's folder, so that commands find the same store wherever they are started.
    """
    path = (BASE_DIR / Path(env.str("DATA_DIR", default="var") or "var").expanduser()).resolve()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path
