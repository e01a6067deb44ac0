"""HTTP cases: valid requests of three dialects, and malformed ones with one named, proven defect."""
