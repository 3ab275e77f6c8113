"""Files and folders: the code that reads, writes and locks them."""
