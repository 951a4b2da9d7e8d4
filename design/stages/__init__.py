"""The FSMs that walk the array through a projection, a score pass and a value pass."""
