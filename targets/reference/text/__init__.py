"""From token ids to text and back."""
