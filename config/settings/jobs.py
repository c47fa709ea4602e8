"""Celery: the same code on the embedded broker (files in DATA_DIR) and on Redis or RabbitMQ."""

from config.env import env
from config.settings.databases import DATA_DIR, REDIS_URL

# What a finished job is kept for, how often a failing one is tried, and how fast what is lost is found again.
JOB_DAYS = env.int("JOB_DAYS", default=14)
JOB_ATTEMPTS = env.int("JOB_ATTEMPTS", default=5)
JOB_LEASE = env.int("JOB_LEASE", default=60)
JOB_SWEEP_INTERVAL = env.int("JOB_SWEEP_INTERVAL", default=5)
EVENT_DAYS = env.int("EVENT_DAYS", default=14)
# How often a job that does nothing proves that workers take jobs; 0: never.
CANARY_INTERVAL = env.int("CANARY_INTERVAL", default=60)
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", default="") or REDIS_URL or "filesystem://localhost"
EMBEDDED_BROKER = CELERY_BROKER_URL.startswith("filesystem:")
BROKER_DIR = DATA_DIR / "broker"
# Longer than any job may run: a message that is not acknowledged by then is given to another worker.
VISIBILITY_TIMEOUT_SECONDS = 600


def _transport_options() -> dict[str, object]:
    if EMBEDDED_BROKER:
        queue = BROKER_DIR / "queue"
        # Kombu makes the control folder, but expects the one of the messages to be there.
        queue.mkdir(mode=0o700, parents=True, exist_ok=True)
        return {
            "data_folder_in": str(queue),
            "data_folder_out": str(queue),
            "control_folder": str(BROKER_DIR / "control"),
            "polling_interval": 0.02,
        }
    if CELERY_BROKER_URL.startswith("amqp"):
        return {"confirm_publish": True}
    return {"visibility_timeout": VISIBILITY_TIMEOUT_SECONDS}


CELERY_BROKER_TRANSPORT_OPTIONS = _transport_options()
CELERY_VISIBILITY_TIMEOUT = VISIBILITY_TIMEOUT_SECONDS
CELERY_TIMEZONE = "UTC"
CELERY_ENABLE_UTC = True
CELERY_TASK_SERIALIZER = CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
# There are no results, so there is nothing for Celery's own clean-up job to do.
CELERY_RESULT_EXPIRES = None
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# Nobody talks to the worker of the embedded broker, and listening would double its looks into the folder.
CELERY_WORKER_ENABLE_REMOTE_CONTROL = not EMBEDDED_BROKER
# The worker waits for a broker that is away for as long as it takes; its sweep runs jobs meanwhile.
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_BROKER_CONNECTION_TIMEOUT = 4
# Installations that share a broker need names of their own.
JOB_QUEUE = CELERY_TASK_DEFAULT_QUEUE = env.str("JOB_QUEUE", default="agentledger")
if CELERY_BROKER_URL.startswith("amqp"):
    # Replicated and on disk, so that a node of the cluster may be lost.
    CELERY_TASK_DEFAULT_QUEUE_TYPE = "quorum"
# What a worker prints goes through the same structured log as everything else.
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_BEAT_SCHEDULER = "config.beat:SlotScheduler"
DJANGO_CELERY_BEAT_TZ_AWARE = True
