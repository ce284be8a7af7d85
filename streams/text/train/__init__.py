"""How the weights in `streams/text/weights` were made. Nothing here runs in the pipeline."""
