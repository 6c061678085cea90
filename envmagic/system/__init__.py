"""What is the machine's: processes, files, locks, directories."""
