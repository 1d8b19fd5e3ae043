"""What the desk knows, in the words of the contract: a file per noun, and no decision."""
