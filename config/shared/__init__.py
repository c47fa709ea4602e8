"""What two or more apps use: no tables, and no app is imported here."""
