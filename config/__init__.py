"""The frame: settings, addresses, the queue, the schedule and health."""
