"""CEL, the language of conditions that containment cannot express."""
