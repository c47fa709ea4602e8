"""Workers started as processes of their own, which are killed, cut off and started again while jobs run."""
