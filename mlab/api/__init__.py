"""The face for people who write Python, published by ``mlab``: ladders judged and priced, searches, stored runs."""
