"""What a report says: rows read, metrics with their chance levels, averages, text."""
