"""An environment for a notebook that says nothing but what it imports."""
