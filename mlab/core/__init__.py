"""The ground floor: what every other room stands on. No domain, and no library of a side system."""
