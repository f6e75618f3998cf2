"""What the data scientist's expert knows: targets, columns, splits and costs, decided from request and profile."""
