"""What is wrong with the patching of this process: the report, its checks, and the block monitor."""
