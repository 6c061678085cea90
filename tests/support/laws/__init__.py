"""What the laws of the record are tried on: notebooks, people's tools, and a directory of both."""
