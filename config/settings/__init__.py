"""Every setting of AgentLedger, one file a topic; the environment's part is listed in `.env.example`."""
# ruff: noqa: F403

from config.settings.admin import *
from config.settings.api import *
from config.settings.apps import *
from config.settings.backups import *
from config.settings.connectors import *
from config.settings.databases import *
from config.settings.documents import *
from config.settings.functions import *
from config.settings.jobs import *
from config.settings.limits import *
from config.settings.logs import *
from config.settings.security import *
from config.settings.web import *
