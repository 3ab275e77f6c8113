"""Files and folders: the only code that touches the disk."""
