"""What every admin page of every app has in common."""
