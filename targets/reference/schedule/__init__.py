"""What runs in which step: sequences, the scheduler, draft tokens."""
