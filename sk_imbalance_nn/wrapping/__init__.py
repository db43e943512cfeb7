"""Who is given which parameter, and how an estimator is written down."""
