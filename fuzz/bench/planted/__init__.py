"""How soon a campaign finds planted bugs, and what it makes of them; beside what simpler means find."""
