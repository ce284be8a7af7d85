"""Does recovery work: who is called when not everybody can be, and what calling changes."""
