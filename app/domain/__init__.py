"""What trading means: pure, without a database, a clock or a network."""
