"""What generates the pictures and the references of the documentation."""
