"""From words to what they stand for; keys; code and specs of strangers."""
