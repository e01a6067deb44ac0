"""How traces get simpler: their measure, simpler requests, and simplifications of a whole trace."""
