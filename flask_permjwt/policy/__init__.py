"""What may be done: permissions, requirements, principals and the decision. No Flask, no SQL, no JWT."""
