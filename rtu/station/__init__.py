"""The application functions of a controlled station, one file each (IEC 60870-5-5 and -104)."""
