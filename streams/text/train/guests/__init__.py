"""What guests write, made up to train the classifier of concerns."""
