"""What commands have in common that read or write files of rows."""
