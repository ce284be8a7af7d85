"""The files of the page: HTML, styles, ES modules, and a file of texts for each language."""
