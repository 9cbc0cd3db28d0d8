"""Two-phase training under Accelerate."""
