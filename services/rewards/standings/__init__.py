"""In which tier each partner stands: kept as decisions pass by, and read from those that had passed before."""
