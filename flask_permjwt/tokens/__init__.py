"""What is presented: keys and the token codec. Pure: a clock is passed in; no Flask, no SQL."""
