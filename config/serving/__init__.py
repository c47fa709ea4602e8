"""`manage.py serve`: prepares the store, then watches over web server, worker and scheduler in one small process."""
