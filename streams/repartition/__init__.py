"""Moving Rihla's topics, and the state that belongs to them, to another number of partitions, exactly.

While all workers are stopped, every topic is copied into a temporary one of the new number (`copying`), deleted, made
anew under its name and filled from the copy, record by record (`replacing`). A journal of the steps (`journal`) lets
the command go on wherever it was interrupted.
"""
