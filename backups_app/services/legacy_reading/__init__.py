"""Reading an old store beside the process that stores it. Nothing here knows a database: it runs without one."""
