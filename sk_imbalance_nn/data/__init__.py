"""What comes in: arrays, frames, labels, and the rows that are held out."""
