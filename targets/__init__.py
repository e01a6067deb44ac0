"""What is called: the vocabulary, the executor contract, and every system under test."""
