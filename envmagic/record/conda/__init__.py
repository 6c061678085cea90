"""What of a record is conda's: environment.yml, and which package brings which distribution."""
