"""What the service tells of itself and of its activities in other vocabularies (GES 3.2 and 3.4)."""
