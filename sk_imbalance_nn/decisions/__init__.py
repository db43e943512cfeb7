"""When do we say yes? Objectives, exact searches, costs and constraints."""
