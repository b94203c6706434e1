"""The process that takes apart spreadsheets (XLSX) of strangers: confined, one file each."""
