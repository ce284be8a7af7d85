"""What guests are asked and told: consent, invitations to a survey, messages after a complaint."""
