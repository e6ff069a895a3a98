"""What the templates of this app need."""
