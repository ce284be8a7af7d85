"""Contact with guests: consent, invitations to a survey, messages after a complaint."""
