"""The feature catalogue and the one builder that training and scoring share."""
