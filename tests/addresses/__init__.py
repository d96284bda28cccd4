"""What an e-mail address does for a person, as the rooms decide it."""
