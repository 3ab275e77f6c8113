"""The code that reads, writes and locks files and directories."""
