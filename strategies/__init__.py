"""What is generated: Hypothesis strategies and their case mutators."""
