"""What people and programs read: terminal, JSON, and files for other tools."""
